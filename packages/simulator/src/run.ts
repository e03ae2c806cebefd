import { parseSimulatorArgs, simulatorBanner, simulatorHelp } from './command-line.ts';
import { startSimulator } from './simulator.ts';

/**
 * Runs a simulator from a command line until a signal ends it. `program` is how the user calls it.
 * Resolves with the exit code: 0 ended by a signal or help, 1 cannot listen, 2 wrong usage.
 */
export async function runSimulator(program: string, args: readonly string[]): Promise<number> {
  const command = parseSimulatorArgs(args);
  if (command.kind === 'help') {
    process.stdout.write(simulatorHelp(program));
    return 0;
  }
  if (command.kind === 'wrong') {
    process.stderr.write(`${command.message}\n`);
    return 2;
  }
  try {
    const simulator = await startSimulator({ ...command.options, record: false });
    if (command.fault !== undefined) simulator.faults.always(command.fault);
    process.stdout.write(simulatorBanner(simulator.url, command.fault));
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    await simulator.close();
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`The simulator cannot start: ${reason}. Choose another --port or --host.\n`);
    return 1;
  }
}
