import { TOKEN } from './token.ts';

const COLON = 0x3a;
const BLANK = 0x20;
const TAB = 0x09;
const CR = 0x0d;
const LF = 0x0a;
const DEL = 0x7f;

/** A line that has come before. */
class KnownLine {
  /** The whole line with its end; where its value has changed, as far as its colon. */
  bytes: Buffer;
  readonly name: string;
  /** Undefined: it changes. */
  value: string | undefined;
  /** The lines that came behind it. */
  readonly followers: KnownLine[] = [];

  constructor(bytes: Buffer, name: string, value: string | undefined) {
    this.bytes = bytes;
    this.name = name;
    this.value = value;
  }
}

/** More different lines behind one are no habit. */
const MOST_FOLLOWERS = 4;
/** Of a longer line only the name is kept, and nothing where the name itself is longer. */
const LONGEST_KEPT_BYTES = 512;
/** A server that never repeats itself must not fill the memory. */
const MOST_KEPT = 1_024;

/**
 * Reads the lines of a server's heads, and remembers them with their order: a server says much the same in each of its answers, and what
 * is known is compared, not read again. A head of twenty lines costs a third of what it costs to read it.
 */
export class KnownLines {
  #first: KnownLine[] = [];
  #kept = 0;

  /**
   * The fields in the lines from `from` on, names in lower case and values by turns. At `end` the last line ends, with a CR LF of its own.
   * @returns undefined if a line is no field
   */
  read(bytes: Buffer, from: number, end: number): string[] | undefined {
    const list: string[] = [];
    let followers = this.#first;
    for (let at = from; at < end; ) {
      const known = lineAt(followers, bytes, at);
      if (known?.value !== undefined) {
        list.push(known.name, known.value);
        followers = known.followers;
        at += known.bytes.length;
        continue;
      }
      const lf = endOfLine(bytes, at);
      const colon = known ? at + known.bytes.length - 1 : bytes.indexOf(COLON, at);
      if (lf < 0 || colon < 0 || colon >= lf) return undefined;
      const name = known?.name ?? nameIn(bytes, at, colon);
      if (name === undefined) return undefined;
      const value = valueIn(bytes, colon + 1, lf - 1);
      list.push(name, value);
      const line = known ?? this.#learn(followers, name, value, bytes.subarray(at, lf + 1));
      followers = line.followers;
      at = lf + 1;
    }
    return list;
  }

  /** Remembers a line behind which others may come. */
  #learn(siblings: KnownLine[], name: string, value: string, line: Buffer): KnownLine {
    const upToColon = line.subarray(0, name.length + 1);
    const earlier = siblings.find(({ bytes }) => isAt(upToColon, bytes, 0));
    if (earlier) {
      earlier.bytes = Buffer.from(upToColon);
      earlier.value = undefined;
      return earlier;
    }
    if (this.#kept >= MOST_KEPT) {
      this.#first = [];
      this.#kept = 0;
    }
    const isShort = line.length <= LONGEST_KEPT_BYTES;
    const known = new KnownLine(
      Buffer.from(isShort ? line : upToColon),
      propertyName(name),
      isShort ? value : undefined,
    );
    if (known.bytes.length > LONGEST_KEPT_BYTES) return known;
    this.#kept += 1;
    if (siblings.length >= MOST_FOLLOWERS) siblings.shift();
    siblings.push(known);
    return known;
  }
}

function lineAt(lines: readonly KnownLine[], bytes: Buffer, at: number): KnownLine | undefined {
  for (const line of lines) if (isAt(line.bytes, bytes, at)) return line;
  return undefined;
}

function isAt(part: Buffer, bytes: Buffer, at: number): boolean {
  if (at + part.length > bytes.length) return false;
  for (let i = 0; i < part.length; i += 1) if (part[i] !== bytes[at + i]) return false;
  return true;
}

/** Where the LF of the line at `from` is; -1: it doesn't end with CR LF, or has a control character (RFC 9110 §5.5). */
function endOfLine(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === CR) return bytes[at + 1] === LF ? at + 1 : -1;
    if ((byte < BLANK && byte !== TAB) || byte === DEL) return -1;
  }
  return -1;
}

/** A name in lower case; a line that begins with a blank would go on with the one before it: nobody sends such lines any more (RFC 9112 §5.2). */
function nameIn(bytes: Buffer, from: number, end: number): string | undefined {
  const spelled = bytes.toString('latin1', from, end);
  return TOKEN.test(spelled) ? spelled.toLowerCase() : undefined;
}

/** A value without the blanks around it. */
function valueIn(bytes: Buffer, from: number, end: number): string {
  let first = from;
  let last = end;
  while (first < last && isBlank(bytes[first])) first += 1;
  while (last > first && isBlank(bytes[last - 1])) last -= 1;
  return bytes.toString('latin1', first, last);
}

function isBlank(byte: number | undefined): boolean {
  return byte === BLANK || byte === TAB;
}

/** The same text as properties have it: kept once in memory, so that one look compares two of them. */
function propertyName(text: string): string {
  return Object.keys({ [text]: true })[0] ?? text;
}
