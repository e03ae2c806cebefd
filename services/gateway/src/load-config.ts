import { ConfigProblems, type LoadedConfig, type LoadOptions, loadConfig } from '@nexus/config';
import { priceListProblems } from '@nexus/prices';

/**
 * Reads the configuration, and checks its prices against those that are published.
 * @throws ConfigProblems with everything that is wrong
 */
export function loadCheckedConfig(options: LoadOptions): LoadedConfig {
  const loaded = loadConfig(options);
  const { prices, unknownModel } = loaded.config;
  if (prices.length === 0 && !unknownModel.startsWith('assume:')) return loaded;
  const found = priceListProblems({ entries: prices, unknownModel });
  if (found.length === 0) return loaded;
  throw new ConfigProblems(
    found.map((problem) => {
      const [wrong = problem, remedy = 'see "Money" in docs/configuration.md'] = problem.split('; ');
      return { file: loaded.file, line: undefined, column: undefined, setting: 'prices', wrong, remedy };
    }),
  );
}

/** Says what is wrong with a configuration; the exit code: 2 where the command line is, else 1. */
export function sayProblems(found: ConfigProblems): number {
  process.stderr.write(`${found}\n`);
  return found.problems.some(({ file }) => file === 'command line') ? 2 : 1;
}
