// Where the fields of a JSON object stand in its bytes. JSON.parse tells neither that nor that a name comes twice: it keeps
// the last, while an upstream may keep the first. The scan goes in steps, so that a large body need not hold the event loop.

/** The bytes [start, end) of a field's value, without white space around it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Every character of the longest name may stand as `\u0000`. */
const LONGEST_NAME_BYTES = 6 * 24;
/** Up to so many bytes of a string are looked at one by one; the native search pays for itself beyond. */
const SHORT_STRING_BYTES = 48;

/** Finds the named fields of one JSON object. The text between them is only skipped over: whether it is JSON is not asked. */
export class TopLevelScan {
  /** By wanted name: where its value stands. */
  readonly fields: Map<string, Span> = new Map();
  /** The first wanted name that came twice. Names that differ in case alone are the same: some upstreams don't tell them apart. */
  duplicate: string | undefined;
  /** The offset of the object's `{`; −1 if the text is no object. */
  open = -1;
  /** Whether the closing `}` was found, with nothing but white space behind it. */
  closed = false;
  /** How many brackets were open at once. */
  deepest = 0;
  /** Objects, arrays and strings, names included: what takes memory when it is parsed. */
  parts = 0;

  readonly #text: Buffer;
  readonly #end: number;
  readonly #wanted: ReadonlySet<string>;
  readonly #onString: ((start: number, end: number) => void) | undefined;
  #at: number;
  #depth = 0;
  /** Where the string under way began (behind its quote); −1 outside of strings. */
  #stringStart = -1;
  #expectsName = false;
  /** Of the field under way, in lower case, if it is a wanted one. */
  #name: string | undefined;
  #nameIsExact = false;
  readonly #seen = new Set<string>();
  #valueStart = -1;

  /** Scans text[from, to). `onString` hears of every string, names too: its bytes [start, end) without the quotes. */
  constructor(
    text: Buffer,
    from: number,
    to: number,
    wanted: ReadonlySet<string>,
    onString?: (start: number, end: number) => void,
  ) {
    this.#text = text;
    this.#end = to;
    this.#wanted = wanted;
    this.#onString = onString;
    this.#at = from;
  }

  /** Scans on to about `bytes` further; true when the scan is over. */
  step(bytes: number): boolean {
    const stop = Math.min(this.#end, this.#at + bytes);
    while (this.#at < stop) {
      if (this.#stringStart >= 0) this.#skipString(stop);
      else if (this.#depth > 1) this.#skipNested(stop);
      else if (!this.#structure(stop)) return true;
    }
    return this.#at >= this.#end;
  }

  /** One structural character and all that comes before it; false if the text can't be an object. */
  #structure(stop: number): boolean {
    const text = this.#text;
    const byte = text[this.#at] ?? 0;
    if (this.#depth === 0 && (this.open >= 0 || byte !== 0x7b)) {
      if (byte !== 0x20 && (byte < 9 || byte > 13)) {
        this.closed = false;
        return false;
      }
      this.#at++;
      return true;
    }
    switch (byte) {
      case QUOTE:
        this.#stringStart = ++this.#at;
        return true;
      case 0x7b: // {
      case 0x5b: // [
        this.parts++;
        if (this.#depth++ === 0) {
          this.open = this.#at;
          this.#expectsName = true;
        }
        break;
      case 0x7d: // }
      case 0x5d: // ]
        if (--this.#depth === 0) {
          this.#endValue();
          this.closed = true;
        }
        break;
      case 0x3a: // :
        if (this.#depth === 1 && this.#name !== undefined && this.#valueStart < 0)
          this.#valueStart = this.#at + 1;
        break;
      case 0x2c: // ,
        if (this.#depth === 1) {
          this.#endValue();
          this.#expectsName = true;
        }
        break;
      default:
        // Numbers, literals, white space.
        while (++this.#at < stop && !isStructural(text[this.#at] ?? 0));
        return true;
    }
    this.#at++;
    return true;
  }

  /** Inside of a field's value, where most bytes are: goes to the next string, to the value's end, or to `stop`. */
  #skipNested(stop: number): void {
    const text = this.#text;
    let at = this.#at;
    let depth = this.#depth;
    let deepest = this.deepest;
    while (at < stop && depth > 1) {
      const byte = text[at++] ?? 0;
      if (byte === QUOTE) {
        this.#stringStart = at;
        break;
      }
      // [ and { differ in one bit, as do ] and }.
      const bracket = byte & 0xdf;
      if (bracket === 0x5b) {
        this.parts++;
        if (++depth > deepest) deepest = depth;
      } else if (bracket === 0x5d) depth--;
    }
    this.#at = at;
    this.#depth = depth;
    this.deepest = deepest;
  }

  /** Goes to behind the closing quote, or to `stop`. */
  #skipString(stop: number): void {
    const text = this.#text;
    let at = this.#at;
    const near = Math.min(stop, at + SHORT_STRING_BYTES);
    while (at < near) {
      const byte = text[at];
      if (byte === QUOTE) {
        this.#endString(at);
        return;
      }
      at += byte === BACKSLASH ? 2 : 1;
    }
    if (at < stop) {
      // `at` isn't escaped here, so what makes the next quote an escaped one stands between.
      const quote = (stop === text.length ? text : text.subarray(0, stop)).indexOf(QUOTE, at);
      const found = quote < 0 ? stop : quote;
      let backslashes = 0;
      while (found - backslashes > at && text[found - backslashes - 1] === BACKSLASH) backslashes++;
      if (quote >= 0 && backslashes % 2 === 0) {
        this.#endString(quote);
        return;
      }
      at = found + (backslashes % 2);
    }
    this.#at = at;
  }

  #endString(quote: number): void {
    const start = this.#stringStart;
    this.#stringStart = -1;
    this.#at = quote + 1;
    this.parts++;
    this.#onString?.(start, quote);
    if (!this.#expectsName || this.#depth !== 1) return;
    this.#expectsName = false;
    this.#name = quote - start <= LONGEST_NAME_BYTES ? this.#wantedName(start, quote) : undefined;
  }

  #wantedName(start: number, end: number): string | undefined {
    let name = this.#text.toString('latin1', start, end);
    if (name.includes('\\')) {
      try {
        name = String(JSON.parse(`"${name}"`));
      } catch {
        return undefined;
      }
    }
    this.#nameIsExact = this.#wanted.has(name);
    if (this.#nameIsExact) return name;
    name = name.toLowerCase();
    return this.#wanted.has(name) ? name : undefined;
  }

  #endValue(): void {
    if (this.#name !== undefined && this.#valueStart >= 0) {
      if (this.#seen.has(this.#name)) this.duplicate ??= this.#name;
      this.#seen.add(this.#name);
      if (this.#nameIsExact) this.fields.set(this.#name, this.#trimmed(this.#valueStart, this.#at));
    }
    this.#name = undefined;
    this.#valueStart = -1;
  }

  #trimmed(from: number, to: number): Span {
    let start = from;
    let end = to;
    while (start < end && (this.#text[start] ?? 0) <= 0x20) start++;
    while (end > start && (this.#text[end - 1] ?? 0) <= 0x20) end--;
    return { start, end };
  }
}

function isStructural(byte: number): boolean {
  return (
    byte === QUOTE ||
    byte === 0x2c ||
    byte === 0x3a ||
    byte === 0x5b ||
    byte === 0x5d ||
    byte === 0x7b ||
    byte === 0x7d
  );
}
