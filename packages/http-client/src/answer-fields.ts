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
