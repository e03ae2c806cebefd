import { parseArgs } from 'node:util';

/** A command line, read. */
export interface Flags {
  readonly texts: ReadonlyMap<string, string>;
  readonly given: ReadonlySet<string>;
  /** What stands without a flag. */
  readonly words: readonly string[];
}

/** What is wrong with a command line. */
export interface Usage {
  readonly wrong: string;
}

/** Reads `--name value`, `--name=value`, plain `--name`, and words. Of what is unknown only the flag's name is repeated. */
export function flagsOf(
  args: readonly string[],
  known: { readonly text: readonly string[]; readonly plain: readonly string[] },
): Flags | Usage {
  const options = Object.fromEntries([
    ...known.text.map((name) => [name, { type: 'string' }] as const),
    ...known.plain.map((name) => [name, { type: 'boolean' }] as const),
  ]);
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const texts = new Map<string, string>();
  const given = new Set<string>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, value } = token;
    if (known.plain.includes(name) && value === undefined) given.add(name);
    else if (known.text.includes(name) && value) texts.set(name, value);
    else if (known.text.includes(name)) return { wrong: `--${name} has no value` };
    else
      return {
        wrong: /^[a-z-]{1,40}$/.test(name)
          ? `there is no flag --${name}`
          : 'there is a flag that it does not know',
      };
  }
  return { texts, given, words };
}

export function isUsage(read: Flags | Usage): read is Usage {
  return 'wrong' in read;
}
