import { fileURLToPath } from 'node:url';
import type { Machine } from '../machine.ts';
import { freePort, type StartedProcess, startNode, untilListening } from '../started-process.ts';

/** What can stand between the load and the upstream. */
export type DeviceKind = 'gateway' | 'pipe';

/** A process under test. */
export interface Device extends StartedProcess {
  readonly kind: DeviceKind;
  readonly port: number;
}

/** Where a device belongs. */
export interface Surroundings {
  readonly machine: Machine;
  readonly upstreamPort: number;
  /** Of the gateway. */
  readonly configFile: string;
}

const PIPE = fileURLToPath(new URL('../pipe.ts', import.meta.url));
const PROBE = new URL('./probe.ts', import.meta.url).href;
const GATEWAY = fileURLToPath(new URL('../../../../services/gateway/src/main.ts', import.meta.url));

/** What Node runs for a device. */
export function deviceArgs(kind: DeviceKind, port: number, surroundings: Surroundings): string[] {
  return kind === 'pipe'
    ? [PIPE, String(port), String(surroundings.upstreamPort)]
    : [GATEWAY, '--config', surroundings.configFile, '--listen-port', String(port)];
}

/**
 * Starts a device and waits until it listens.
 * @param probed with `probe.ts` in it, which `remote` then asks
 * @throws Error with what it complained about, if it does not come up
 */
export async function startDevice(
  kind: DeviceKind,
  surroundings: Surroundings,
  options: { readonly probed: boolean },
): Promise<Device> {
  const port = await freePort();
  const probe = options.probed ? ['--import', PROBE] : [];
  const started = startNode([...probe, ...deviceArgs(kind, port, surroundings)], {
    cores: surroundings.machine.deviceCores,
    asks: options.probed,
  });
  await untilListening(started, port);
  return { ...started, kind, port };
}
