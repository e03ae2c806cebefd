import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Simulator, type SimulatorOptions, startSimulator } from '@nexus/simulator';
import { type StartedProcess, startProcess, tempDir } from '@nexus/testkit';
import { onTestFinished } from 'vitest';
import type { Operator } from '../src/index.ts';
import { DEFAULTS, type VerifyOptions } from '../src/options.ts';

/** The command line of Nexus. */
export const MAIN = fileURLToPath(new URL('../../../services/gateway/src/main.ts', import.meta.url));

export const KEY = 'sk-verify-7d1f09c3';

/** A stand-in OpenAI that ends with the test. */
export async function ownSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ record: false, ...options });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** A gateway in a process of its own in front of an upstream, ended with its test. */
export interface StartedGateway {
  readonly url: string;
  readonly process: StartedProcess;
}

export async function startGateway(upstreamUrl: string, settings: string): Promise<StartedGateway> {
  const file = join(await tempDir(), 'config.yaml');
  await writeFile(file, `listen_port: 0\nlisten_host: 127.0.0.1\ntarget_url: ${upstreamUrl}\n${settings}\n`);
  const process_ = await startProcess({
    command: process.execPath,
    args: [MAIN, '--config', file],
    env: { NODE_OPTIONS: undefined },
    readyWhen: /"message":"listening".*"url":"([^"]+)"/,
  });
  return { url: process_.url ?? '', process: process_ };
}

/** Options for a short run alone against `url`. */
export function optionsFor(url: string, more: Partial<VerifyOptions> = {}): VerifyOptions {
  return { ...DEFAULTS, url, instances: [], key: KEY, alone: true, strict: false, seconds: 2, ...more };
}

/** An operator who agrees to everything, and what was said to them. */
export function willing(): Operator & { readonly heard: string[] } {
  const heard: string[] = [];
  return {
    heard,
    agree: async (plan) => {
      heard.push(plan);
      return true;
    },
    say: (line) => void heard.push(line),
  };
}
