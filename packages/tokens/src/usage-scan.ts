/**
 * Finds the value of `usage` in a JSON text that is too large to parse on the event loop (33 MB block it for
 * 0.8 s), in constant memory, however the text is cut into pieces.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** A usage object has some 500 bytes; a larger value is something else. */
const MOST_VALUE_BYTES = 16_384;
/** The longest key looked at: `response` written with escapes has 48. */
const MOST_KEY_BYTES = 64;

const WRAPPERS: ReadonlySet<string> = new Set(['response', 'message']);

const BRACKETS = [QUOTE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] as const;
/**
 * Bytes outside of strings that mean nothing: in an object that may hold `usage`, and elsewhere, where keys
 * don't matter.
 */
const PLAIN = new Uint8Array(256).fill(1);
const PLAIN_BELOW = new Uint8Array(256).fill(1);
for (const byte of BRACKETS) {
  PLAIN[byte] = 0;
  PLAIN_BELOW[byte] = 0;
}
for (const byte of [COLON, COMMA]) PLAIN[byte] = 0;

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Collects a short run of bytes that may come in pieces; forgets it all once it grows past its limit. */
class Short {
  readonly #most: number;
  #bytes: Buffer;
  #length = 0;
  #over = false;

  constructor(most: number) {
    this.#most = most;
    this.#bytes = Buffer.alloc(MOST_KEY_BYTES);
  }

  clear(): void {
    this.#length = 0;
    this.#over = false;
  }

  add(from: Buffer, start: number, end: number): void {
    const grown = this.#length + end - start;
    if (this.#over || grown > this.#most) {
      this.#over = true;
      return;
    }
    if (grown > this.#bytes.length) {
      const bytes = Buffer.alloc(Math.min(this.#most, grown * 2));
      this.#bytes.copy(bytes, 0, 0, this.#length);
      this.#bytes = bytes;
    }
    from.copy(this.#bytes, this.#length, start, end);
    this.#length = grown;
  }

  /** What was collected, if all of it fitted. */
  take(): Buffer | undefined {
    return this.#over ? undefined : this.#bytes.subarray(0, this.#length);
  }
}

/**
 * Everything before the first `{` is skipped, so the lines of an SSE event can be fed as they are. The last
 * `usage` counts, as it does for JSON.parse.
 */
export class UsageScan {
  /** The last parsable value of `usage` at the top level, or in a wrapper. */
  found: unknown;
  /** The outermost object has ended. */
  whole = false;

  readonly #wrapped: boolean;
  readonly #key = new Short(MOST_KEY_BYTES);
  readonly #value = new Short(MOST_VALUE_BYTES);
  #depth = 0;
  /** How deep the objects go that may hold `usage`: 1, or 2 inside of a wrapper. */
  #reach = 1;
  #inString = false;
  #escaped = false;
  /** The string being read may be a key of an object within reach. */
  #inKey = false;
  /** A key is what comes next, were it a string. */
  #keyNext = false;
  #lastKey = '';
  #capturing = false;

  /** `wrapped`: look in a top-level `response` or `message` too, where events of a stream have it. */
  constructor(wrapped: boolean) {
    this.#wrapped = wrapped;
  }

  push(bytes: Buffer): void {
    if (this.whole) return;
    let at = 0;
    if (this.#depth === 0) {
      at = bytes.indexOf(OPEN_OBJECT);
      if (at < 0) return;
    }
    let captureFrom = at;
    while (at < bytes.length) {
      if (this.#inString) {
        at = this.#string(bytes, at);
        continue;
      }
      const plain = this.#depth === this.#reach ? PLAIN : PLAIN_BELOW;
      while (at < bytes.length && plain[bytes[at] ?? 0] === 1) at++;
      if (at === bytes.length) break;
      const byte = bytes[at] ?? 0;
      if (this.#capturing && this.#depth === this.#reach && (byte === COMMA || byte === CLOSE_OBJECT)) {
        this.#value.add(bytes, captureFrom, at);
        this.#endCapture();
      }
      at++;
      if (this.#structure(byte)) captureFrom = at;
      if (this.whole) return;
    }
    if (this.#capturing) this.#value.add(bytes, captureFrom, bytes.length);
  }

  /** Reads on inside a string; returns where to go on. */
  #string(bytes: Buffer, from: number): number {
    let at = from;
    if (this.#escaped) {
      this.#escaped = false;
      at++;
    }
    for (;;) {
      const quote = bytes.indexOf(QUOTE, at);
      const end = quote < 0 ? bytes.length : quote;
      // A quote is escaped if an odd number of backslashes stands right before it.
      let slashes = 0;
      while (end - 1 - slashes >= at && bytes[end - 1 - slashes] === BACKSLASH) slashes++;
      const odd = slashes % 2 === 1;
      if (quote >= 0 && odd) {
        at = quote + 1;
        continue;
      }
      if (this.#inKey) this.#key.add(bytes, from, end);
      if (quote < 0) {
        this.#escaped = odd;
        return bytes.length;
      }
      this.#inString = false;
      if (this.#inKey) this.#endKey();
      return quote + 1;
    }
  }

  #endKey(): void {
    this.#inKey = false;
    const bytes = this.#key.take();
    let key: unknown = bytes?.toString('latin1');
    if (bytes?.includes(BACKSLASH)) key = parsed(Buffer.concat([Buffer.from('"'), bytes, Buffer.from('"')]));
    this.#lastKey = typeof key === 'string' ? key : '';
  }

  /** Takes one structural byte; true if a value begins to be captured after it. */
  #structure(byte: number): boolean {
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        this.#inKey = this.#keyNext && this.#depth === this.#reach;
        if (this.#inKey) this.#key.clear();
        return false;
      case COLON:
        this.#keyNext = false;
        if (this.#capturing || this.#depth !== this.#reach || this.#lastKey !== 'usage') return false;
        this.#capturing = true;
        this.#value.clear();
        return true;
      case COMMA:
        this.#keyNext = true;
        this.#lastKey = '';
        return false;
      case OPEN_OBJECT:
        if (this.#wrapped && this.#depth === 1 && !this.#capturing && WRAPPERS.has(this.#lastKey))
          this.#reach = 2;
        this.#depth++;
        this.#keyNext = true;
        this.#lastKey = '';
        return false;
      case OPEN_ARRAY:
        this.#depth++;
        this.#lastKey = '';
        return false;
      default:
        this.#depth--;
        if (this.#depth < this.#reach) this.#reach = 1;
        if (this.#depth <= 0) this.whole = true;
        return false;
    }
  }

  #endCapture(): void {
    this.#capturing = false;
    const bytes = this.#value.take();
    const value = bytes === undefined ? undefined : parsed(bytes);
    if (value !== undefined && value !== null) this.found = value;
  }
}
