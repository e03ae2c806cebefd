import { isShowable, nearestName } from './did-you-mean.ts';
import { LATER_SCALARS } from './later.ts';
import type { ProblemList } from './problems.ts';
import { SCALAR_ENTRIES } from './scalar-settings.ts';

export interface Flags {
  /** The file that --config names. */
  readonly config: string | undefined;
  /** Texts by the setting's path. The last of several counts. */
  readonly values: ReadonlyMap<string, string>;
}

export const COMMAND_LINE = { file: 'command line', line: undefined, column: undefined };

/** Reads `--name value` and `--name=value`. Values of unknown flags are never repeated: they may be secrets. */
export function readFlags(args: readonly string[], problems: ProblemList): Flags {
  const paths = new Map(SCALAR_ENTRIES.map(({ arg, path }) => [arg, path]));
  const later = new Set(LATER_SCALARS.map((name) => name.replaceAll('_', '-')));
  const values = new Map<string, string>();
  let config: string | undefined;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (!arg.startsWith('--') || arg === '--') {
      problems.add(COMMAND_LINE, '', {
        wrong: `argument ${index + 1} is no flag`,
        remedy: 'write --name value, such as --listen-port 8080',
      });
      continue;
    }
    const equals = arg.indexOf('=');
    const name = arg.slice(2, equals === -1 ? undefined : equals);
    const next = args[index + 1];
    const separate = equals === -1 && next !== undefined && !next.startsWith('--');
    const value = equals === -1 ? (separate ? next : undefined) : arg.slice(equals + 1);
    if (separate) index += 1;
    const path = paths.get(name);
    if (path === undefined && name !== 'config') {
      const meant = nearestName(name, [...paths.keys(), 'config']);
      const shown = meant !== undefined || isShowable(name.replaceAll('-', '_')) ? ` --${name}` : '';
      problems.add(COMMAND_LINE, shown.trim(), {
        wrong: later.has(name)
          ? `--${name} is not supported by this version of Nexus`
          : `unknown flag${shown}`,
        remedy: later.has(name)
          ? 'remove it'
          : meant === undefined
            ? 'see nexus -help'
            : `did you mean --${meant}?`,
      });
    } else if (value === undefined || value === '') {
      const example = SCALAR_ENTRIES.find((entry) => entry.arg === name)?.shown;
      problems.add(COMMAND_LINE, path ?? name, {
        wrong: `--${name} has no value`,
        remedy: `write --${name} ${example === undefined || example === '' ? 'VALUE' : example}`,
      });
    } else if (path === undefined) {
      config = value;
    } else {
      values.set(path, value);
    }
  }
  return { config, values };
}
