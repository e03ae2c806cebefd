import type { Simulator } from '@nexus/simulator';

/** The stand-in is loaded only where it is asked for. */
const load = () => import('@nexus/simulator');

/** A stand-in OpenAI on a free port of this machine, for `nexus --simulate`. */
export async function startStandIn(): Promise<Simulator> {
  const { startSimulator } = await load();
  return startSimulator({ latencyMs: 50, tokensPerSecond: 40, record: false });
}

/** `nexus simulate`: the stand-in by itself, until a signal ends it; resolves with the exit code. */
export async function simulate(args: readonly string[]): Promise<number> {
  const { runSimulator } = await load();
  return runSimulator('nexus simulate', args);
}
