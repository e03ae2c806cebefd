import { parseSimulatorArgs, simulatorHelp, startSimulator } from '@nexus/simulator';
import { isHelp } from '../cli.ts';
