/**
 * Splits a stream of server-sent events into blocks, by bytes: a block is everything up to and with the blank
 * line that ends it (WHATWG HTML §9.2.6: lines end in LF, CRLF or CR). The blocks put together are the
 * stream, byte for byte.
 */

const LF = 0x0a;
const CR = 0x0d;
const FIRST_HELD_BYTES = 1_024;

/** What becomes of the blocks. `bytes` is never written to again: the sink may keep it. */
export interface BlockSink {
  /** A whole block: bytes[start, end). */
  block(bytes: Buffer, start: number, end: number): void;
  /** A part of a block too large to hold; `last`: its last one, maybe empty. */
  part(bytes: Buffer, start: number, end: number, last: boolean): void;
  /** The LF of a CRLF that was cut apart after its CR had already ended the block before. */
  lateLf(bytes: Buffer, at: number): void;
}

export class BlockSplitter {
  readonly #sink: BlockSink;
  readonly #mostHeld: number;
  #held: Buffer | undefined;
  #heldLength = 0;
  /** The block under way is too large, and its parts have gone to the sink. */
  #tooLarge = false;
  /** The next byte is the first of a line. */
  #lineStart = true;
  /** The last byte was a CR: an LF now belongs to it. */
  #afterCr = false;
  /** That CR ended a block. */
  #afterBlock = false;
  /** The chunk at hand has no CR from here on. */
  #onlyLf = true;

  /** Blocks of more than `mostHeld` bytes go to the sink in parts. */
  constructor(sink: BlockSink, mostHeld: number) {
    this.#sink = sink;
    this.#mostHeld = mostHeld;
  }

  push(chunk: Buffer): void {
    const length = chunk.length;
    if (length === 0) return;
    let start = 0;
    if (this.#afterCr && this.#afterBlock) {
      this.#afterCr = false;
      this.#afterBlock = false;
      if (chunk[0] === LF) {
        this.#sink.lateLf(chunk, 0);
        start = 1;
      }
    }
    this.#onlyLf = !this.#afterCr && chunk.indexOf(CR, start) < 0;
    while (start < length) {
      const end = this.#onlyLf ? this.#endByLf(chunk, start) : this.#endByAny(chunk, start);
      if (end < 0) {
        this.#hold(chunk, start, length);
        return;
      }
      this.#give(chunk, start, end);
      start = end;
    }
  }

  /** The stream is over: an unfinished block is given as it is. */
  end(): void {
    if (this.#heldLength > 0 || this.#tooLarge) this.#give(Buffer.alloc(0), 0, 0);
  }

  /** The index after the blank line that ends the block, or -1. For chunks without a CR. */
  #endByLf(chunk: Buffer, start: number): number {
    if (this.#lineStart && chunk[start] === LF) return start + 1;
    let from = start;
    for (;;) {
      const lf = chunk.indexOf(LF, from);
      if (lf < 0) {
        this.#lineStart = false;
        return -1;
      }
      if (lf + 1 === chunk.length) {
        this.#lineStart = true;
        return -1;
      }
      if (chunk[lf + 1] === LF) {
        this.#lineStart = true;
        return lf + 2;
      }
      from = lf + 1;
    }
  }

  #endByAny(chunk: Buffer, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === LF && this.#afterCr) {
        this.#afterCr = false;
        continue;
      }
      this.#afterCr = byte === CR;
      if (byte !== LF && byte !== CR) {
        this.#lineStart = false;
        continue;
      }
      if (!this.#lineStart) {
        this.#lineStart = true;
        continue;
      }
      if (byte === LF) return at + 1;
      if (at + 1 === chunk.length) {
        this.#afterBlock = true;
        return at + 1;
      }
      this.#afterCr = false;
      return chunk[at + 1] === LF ? at + 2 : at + 1;
    }
    return -1;
  }

  #hold(chunk: Buffer, start: number, end: number): void {
    const length = this.#heldLength + end - start;
    if (this.#tooLarge || length > this.#mostHeld) {
      this.#giveParts(chunk, start, end, false);
    } else {
      this.#append(chunk, start, end);
    }
  }

  #append(chunk: Buffer, start: number, end: number): void {
    const length = this.#heldLength + end - start;
    if (this.#held === undefined || length > this.#held.length) {
      // allocUnsafeSlow: a slice of the shared pool would keep all of it alive for as long as an event takes.
      const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_HELD_BYTES, length * 2));
      this.#held?.copy(grown, 0, 0, this.#heldLength);
      this.#held = grown;
    }
    chunk.copy(this.#held, this.#heldLength, start, end);
    this.#heldLength = length;
  }

  #give(chunk: Buffer, start: number, end: number): void {
    // The LF of a last CRLF isn't counted: cut off, it would not be here.
    const lastLf = end - start >= 2 && chunk[end - 1] === LF && chunk[end - 2] === CR ? 1 : 0;
    if (this.#tooLarge || this.#heldLength + end - start - lastLf > this.#mostHeld) {
      this.#giveParts(chunk, start, end, true);
      this.#tooLarge = false;
    } else if (this.#heldLength === 0) {
      this.#sink.block(chunk, start, end);
    } else {
      this.#append(chunk, start, end);
      const held = this.#held;
      const length = this.#heldLength;
      // The sink may pass it on as output, so the next block gets a buffer of its own.
      this.#held = undefined;
      this.#heldLength = 0;
      if (held !== undefined) this.#sink.block(held, 0, length);
    }
  }

  #giveParts(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.#tooLarge = true;
    const held = this.#held?.subarray(0, this.#heldLength);
    this.#held = undefined;
    this.#heldLength = 0;
    if (held === undefined) {
      this.#sink.part(chunk, start, end, last);
    } else {
      // In one piece, so that the first part shows what kind of event it is.
      const joined = Buffer.concat([held, chunk.subarray(start, end)]);
      this.#sink.part(joined, 0, joined.length, last);
    }
  }
}
