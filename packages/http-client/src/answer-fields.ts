/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const lowerNames = new Map<string, string>();
const MOST_NAMES_KEPT = 1_024;

/** A field's name in lower case; undefined: it is none. Servers repeat themselves, so most names are looked at once. */
export function lowerName(name: string): string | undefined {
  const known = lowerNames.get(name);
  if (known !== undefined) return known;
  if (!TOKEN.test(name)) return undefined;
  const lower = name.toLowerCase();
  if (lowerNames.size >= MOST_NAMES_KEPT) return lower;
  // The name of a property is kept once in memory, so that to compare it takes one look at where it is.
  const [kept = lower] = Object.keys({ [lower]: true });
  lowerNames.set(name, kept);
  return kept;
}

/** The fields of an answer's head in the order in which they came, names in lower case. What came twice is there twice. */
export class AnswerFields {
  /** Names and values by turns. */
  readonly list: readonly string[];

  constructor(list: readonly string[]) {
    this.list = list;
  }

  /** The same of a list in any spelling, as `rawHeaders` of node:http. */
  static of(raw: readonly string[]): AnswerFields {
    return new AnswerFields(raw.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text)));
  }

  /** The value of a field, the first where there are several. */
  get(lowerName: string): string | undefined {
    const { list } = this;
    for (let i = 0; i < list.length; i += 2) if (list[i] === lowerName) return list[i + 1];
    return undefined;
  }

  /** The values of a field as one list (RFC 9110 §5.3). */
  joined(lowerName: string): string | undefined {
    const { list } = this;
    let all: string | undefined;
    for (let i = 0; i < list.length; i += 2)
      if (list[i] === lowerName) all = all === undefined ? list[i + 1] : `${all}, ${list[i + 1]}`;
    return all;
  }

  /** The others. */
  without(isLeftOut: (lowerName: string, value: string) => boolean): AnswerFields {
    const { list } = this;
    const kept: string[] = [];
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i] ?? '';
      const value = list[i + 1] ?? '';
      if (!isLeftOut(name, value)) kept.push(name, value);
    }
    return new AnswerFields(kept);
  }
}
