import { TOKEN } from './token.ts';

/** Longer names are no server's, and would fill the memory. */
const LONGEST_KEPT = 256;

/** A name as a server spells it, and in lower case. */
interface KnownName {
  readonly spelled: string;
  readonly lower: string;
}

/** The names that came last, each at its place: servers repeat themselves, so most are found there without being cut out of the text. */
const knownNames: (KnownName | undefined)[] = new Array(1_024).fill(undefined);

/** The field's name that stands in a text, in lower case; undefined: it is none. */
export function lowerNameIn(text: string, from: number, end: number): string | undefined {
  const length = end - from;
  const place = (length * 31 + text.charCodeAt(from) * 17 + text.charCodeAt(end - 1)) % knownNames.length;
  const known = knownNames[place];
  if (known !== undefined && known.spelled.length === length && text.startsWith(known.spelled, from))
    return known.lower;
  const cut = text.slice(from, end);
  if (!TOKEN.test(cut)) return undefined;
  const lower = propertyName(cut.toLowerCase());
  if (length <= LONGEST_KEPT) knownNames[place] = { spelled: propertyName(cut), lower };
  return lower;
}

/** The same text as properties have it: kept once in memory, so that one look compares two of them, and no part of a larger text. */
function propertyName(text: string): string {
  return Object.keys({ [text]: true })[0] ?? text;
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
