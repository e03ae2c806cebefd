/** The process of a simulator. */

import { runSimulator } from '@nexus/simulator';

process.exitCode = await runSimulator('simulator', process.argv.slice(2));
