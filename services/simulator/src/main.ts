/** The process of a simulator. Exit codes: 0 ended by a signal or help, 1 cannot listen, 2 wrong usage. */

import { parseSimulatorArgs, simulatorBanner, simulatorHelp, startSimulator } from '@nexus/simulator';

const PROGRAM = 'simulator';

const command = parseSimulatorArgs(process.argv.slice(2));
switch (command.kind) {
  case 'help':
    process.stdout.write(simulatorHelp(PROGRAM));
    break;
  case 'wrong':
    process.stderr.write(`${command.message}\n`);
    process.exitCode = 2;
    break;
  case 'start':
    try {
      const simulator = await startSimulator({ ...command.options, record: false });
      if (command.fault !== undefined) simulator.faults.always(command.fault);
      process.stdout.write(simulatorBanner(simulator.url, command.fault));
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.close());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.stderr.write(`The simulator cannot start: ${reason}. Choose another --port or --host.\n`);
      process.exitCode = 1;
    }
}
