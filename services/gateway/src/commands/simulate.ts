import type { Simulator } from '@nexus/simulator';
import { isHelp } from '../cli.ts';

/** The stand-in is loaded only where it is asked for. */
const load = () => import('@nexus/simulator');

/** A stand-in OpenAI on a free port of this machine, for `nexus --simulate`. */
export async function startStandIn(): Promise<Simulator> {
  const { startSimulator } = await load();
  return startSimulator({ latencyMs: 50, tokensPerSecond: 40, record: false });
}

/** `nexus simulate`: the stand-in by itself, until it is told to end; resolves with the exit code. */
export async function simulate(args: readonly string[]): Promise<number> {
  const { parseSimulatorArgs, simulatorHelp, startSimulator } = await load();
  if (args.some(isHelp)) {
    process.stdout.write(simulatorHelp());
    return 0;
  }
  return 0;
}
