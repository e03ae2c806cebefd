/** Text above this length (UTF-16 units) is not held: its first part is counted and dropped. */
const CUT_ABOVE = 8_192;
/** No part is shorter, so that cutting costs next to nothing. */
const SHORTEST_PART = 4_096;
/** All that is held of one answer. */
const MOST_HELD = 16_384;
/** Small strings are joined after so many, or each would cost more than its text. */
const MOST_PIECES = 64;
/** Tokens of text that isn't counted: about four bytes each in English, fewer in everything else. */
export const BYTES_PER_TOKEN = 4;

/** Counts the tokens of a text. */
export type CountText = (text: string) => number;

/** The same bytes, not copied. */
export function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

/**
 * Where to cut `text` so that its parts count (nearly) as much as the whole: before the last blank that
 * follows a non-blank at or after `from`. The published patterns never match across such a place, so that cut
 * is exact. Text without one (Chinese, base64) is cut at the end, which is wrong by a token at most; never
 * inside of a surrogate pair.
 */
export function cutPoint(text: string, from: number, to: number): number {
  for (let at = text.lastIndexOf(' ', to - 1); at >= from && at > 0; at = text.lastIndexOf(' ', at - 1)) {
    if (text.charCodeAt(at - 1) > 0x20) return at;
  }
  const last = text.charCodeAt(to - 1);
  return last >= 0xd800 && last < 0xdc00 && to - 1 > 0 ? to - 1 : to;
}

/** One unbroken text of an answer: the content of a choice, the arguments of a tool call. */
class Run {
  text = '';
  pieces: string[] = [];
  length = 0;

  join(): string {
    if (this.pieces.length > 0) {
      this.text += this.pieces.join('');
      this.pieces = [];
    }
    return this.text;
  }
}

/**
 * Counts the text of a stream as it goes by. It holds at most 16 K characters; what is above is counted in
 * parts and dropped. Texts with different keys are counted apart, since they would not be adjacent in the
 * whole answer.
 */
export class TextCount {
  readonly #count: CountText;
  readonly #runs = new Map<number, Run>();
  #run: Run | undefined;
  #runKey = -1;
  #held = 0;
  #counted = 0;
  /** Tokens of the held text, while nothing more has come. */
  #heldTokens: number | undefined;

  constructor(count: CountText) {
    this.#count = count;
  }

  add(key: number, text: string): void {
    if (text.length === 0) return;
    this.#heldTokens = undefined;
    let run = this.#run;
    if (run === undefined || key !== this.#runKey) {
      run = this.#runs.get(key);
      if (run === undefined) {
        if (this.#runs.size >= MOST_PIECES) this.#countAll();
        run = new Run();
        this.#runs.set(key, run);
      }
      this.#run = run;
      this.#runKey = key;
    }
    run.length += text.length;
    this.#held += text.length;
    if (run.pieces.push(text) >= MOST_PIECES) run.join();
    if (run.length > CUT_ABOVE) this.#cut(run);
    if (this.#held > MOST_HELD) this.#countAll();
  }

  /** Exact, but counts what is held: some 0.1 ms for each KB. */
  tokens(): number {
    if (this.#heldTokens === undefined) {
      let held = 0;
      for (const run of this.#runs.values()) if (run.length > 0) held += this.#count(run.join());
      this.#heldTokens = held;
    }
    return this.#counted + this.#heldTokens;
  }

  /** Costs nothing: what is held is taken at four characters a token. */
  roughTokens(): number {
    return this.#counted + (this.#heldTokens ?? Math.ceil(this.#held / BYTES_PER_TOKEN));
  }

  /** Forgets all text so far. */
  clear(): void {
    this.#runs.clear();
    this.#run = undefined;
    this.#runKey = -1;
    this.#held = 0;
    this.#counted = 0;
    this.#heldTokens = undefined;
  }

  /** A delta may be of any size: it is cut into parts, as it would be had it come in many. */
  #cut(run: Run): void {
    let text = run.join();
    while (text.length > CUT_ABOVE) {
      const at = cutPoint(text, SHORTEST_PART, CUT_ABOVE);
      this.#counted += this.#count(text.slice(0, at));
      text = text.slice(at);
    }
    this.#held -= run.length - text.length;
    // A slice would keep the whole text alive.
    run.text = Buffer.from(text, 'utf16le').toString('utf16le');
    run.length = text.length;
  }

  #countAll(): void {
    const all = this.tokens();
    this.clear();
    this.#counted = all;
  }
}
