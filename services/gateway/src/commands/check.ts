import { ConfigProblems, describeLimits } from '@nexus/config';
import { isHelp } from '../help-words.ts';
import { loadCheckedConfig, sayProblems } from '../load-config.ts';

const HELP = `nexus check [FILE]: test a configuration without starting anything.

Names every problem with its line, what is wrong and what would be right. FILE defaults to CONFIG_PATH, then ./config.yaml.

Examples
  nexus check
  nexus check /etc/nexus/config.yaml && systemctl restart nexus

Exit codes: 0 the configuration is good, 1 it is not, 2 wrong usage.
`;

/** `nexus check [FILE]`; returns the exit code. */
export function check(args: readonly string[]): number {
  if (args.some(isHelp)) {
    process.stdout.write(HELP);
    return 0;
  }
  const files = args.filter((arg, i) => !arg.startsWith('-') && !(args[i - 1] ?? '').startsWith('--'));
  if (files.length > 1) {
    process.stderr.write('nexus check takes one file. nexus check -help says more.\n');
    return 2;
  }
  const [file, ...flags] = args[0]?.startsWith('-') ? ['', ...args] : args;
  try {
    const named = file ? ['--config', file] : [];
    const { config, file: read } = loadCheckedConfig({
      args: [...named, ...flags],
      env: process.env,
      cwd: process.cwd(),
    });
    process.stdout.write(
      `${read} is good.\n${describeLimits(config)
        .map((line) => `  ${line}\n`)
        .join('')}`,
    );
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error;
    return sayProblems(error);
  }
}
