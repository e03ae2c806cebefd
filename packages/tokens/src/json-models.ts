import type { NamedModels } from './named-models.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const WHITE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Some servers read JSON in UTF-16 and UTF-32 too, which a zero in these bytes or a mark tells (Python's `json.detect_encoding`). */
const BYTES_THAT_TELL = 4;
const UTF16_MARKS = new Set([0xfeff, 0xfffe]);

const NAME = 'model';
/** `\u006d` for one character. */
const LONGEST_ESCAPE_BYTES = 6;
/** Longer than any model's name, each of its characters written as an escape. */
const LONGEST_TEXT_BYTES = 256 * LONGEST_ESCAPE_BYTES;
const MOST_MODELS = 1_000;
/** Two are already one too many. */
const MOST_OWN = 2;

/**
 * Finds the texts that JSON gives as `model`, at any depth, in capitals too: some servers don't tell them apart. It doesn't ask
 * whether the rest is valid.
 */
export class JsonModels implements NamedModels {
  readonly models: string[] = [];
  isUnclear: boolean;
  #depth = 0;
  readonly own: string[] = [];
  #isBegun = false;
  #passed = 0;
  #first = 0;
  readonly #seen = new Set<string>();
  /** The bytes of the text that is passing, quotes excluded, as far as they matter. */
  readonly #text = Buffer.alloc(LONGEST_TEXT_BYTES);
  #length = 0;
  #isInText = false;
  #isEscaped = false;
  /** A text has passed that says `model`: a colon makes it a name. */
  #saysModel = false;
  /** It says so in small letters, as every server reads it. */
  #saysPlainly = false;
  /** The name and its colon have passed. */
  #isNamed = false;

  /** @param isUnclear whether it isn't known how it is written */
  constructor(isUnclear = false) {
    this.isUnclear = isUnclear;
  }

  get isOver(): boolean {
    return this.#isBegun && this.#depth <= 0;
  }

  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (this.#passed < BYTES_THAT_TELL) this.#passFirst(byte);
      if (this.#isInText) this.#passText(byte);
      else if (!WHITE.has(byte)) this.#passBetween(byte);
    }
  }

  end(): void {}

  #passFirst(byte: number): void {
    if (byte === 0 || (this.#passed === 1 && UTF16_MARKS.has(this.#first * 256 + byte)))
      this.isUnclear = true;
    if (this.#passed === 0) this.#first = byte;
    this.#passed += 1;
  }

  #passBetween(byte: number): void {
    if (byte === QUOTE) {
      this.#isInText = true;
      this.#length = 0;
    } else {
      if (this.#isNamed && this.#isOwn()) this.#addOwn('');
      this.#isNamed = byte === COLON && this.#saysModel;
      if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        this.#depth += 1;
        this.#isBegun = true;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) this.#depth -= 1;
    }
    this.#saysModel = false;
  }

  #passText(byte: number): void {
    if (byte === QUOTE && !this.#isEscaped) {
      this.#isInText = false;
      this.#endText();
      return;
    }
    this.#isEscaped = byte === BACKSLASH && !this.#isEscaped;
    if (this.#length < LONGEST_TEXT_BYTES) this.#text[this.#length] = byte;
    this.#length += 1;
  }

  #endText(): void {
    if (this.#isNamed) {
      const model = this.#decoded();
      if (this.#isOwn()) this.#addOwn(model ?? '');
      this.#found(model);
    } else {
      const mayBe = this.#length >= NAME.length && this.#length <= NAME.length * LONGEST_ESCAPE_BYTES;
      const text = mayBe ? this.#decoded() : undefined;
      this.#saysModel = text?.toLowerCase() === NAME;
      this.#saysPlainly = text === NAME;
    }
    this.#isNamed = false;
  }

  #isOwn(): boolean {
    return this.#depth === 1 && this.#saysPlainly;
  }

  #addOwn(model: string): void {
    if (this.own.length < MOST_OWN && !this.own.includes(model)) this.own.push(model);
  }

  #found(model: string | undefined): void {
    if (model !== undefined && this.#seen.has(model)) return;
    if (model === undefined || this.#seen.size === MOST_MODELS) this.isUnclear = true;
    else {
      this.#seen.add(model);
      this.models.push(model);
    }
  }

  /** The text that has passed; undefined where it is too long for a model's name, or no JSON. */
  #decoded(): string | undefined {
    if (this.#length > LONGEST_TEXT_BYTES) return undefined;
    const raw = this.#text.toString('utf8', 0, this.#length);
    if (!raw.includes('\\')) return raw;
    try {
      return String(JSON.parse(`"${raw}"`));
    } catch {
      return undefined;
    }
  }
}
