import { type Simulator, type SimulatorOptions, startSimulator } from '@nexus/simulator';
import { onTestFinished } from 'vitest';
import { type RunningGateway, startInFrontOf } from '../running-gateway.ts';

/** An address for `/metrics`, and limits that nothing here reaches. */
export const LIMITS =
  'admin: { listen: "127.0.0.1:0" }\nlimits: { requests_per_minute: 100, concurrent_requests: 10, model_tokens_per_minute: 100000 }\n';
export const KEY = { authorization: 'Bearer sk-test-key' };

/** A stand-in for an upstream, ended with its test. */
export async function simulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const started = await startSimulator(options);
  onTestFinished(() => started.close());
  return started;
}

/** A gateway without a default target. Each line is one entry of `upstreams`. */
export async function startFor(entries: readonly string[], settings = LIMITS): Promise<RunningGateway> {
  const list = `upstreams:\n${entries.map((entry) => `  - ${entry}\n`).join('')}`;
  return startInFrontOf(undefined, `${settings}${list}`);
}

/** The values of a header of each request that came. */
export function sent({ requests }: Simulator, name: string): (string | undefined)[] {
  return requests.map(({ headers }) => headers.find(([given]) => given.toLowerCase() === name)?.[1]);
}
