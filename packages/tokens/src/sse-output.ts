/**
 * Gathers the bytes for the client out of the chunk at hand and what was held before it, copying only where
 * it must.
 */
export class Output {
  readonly #sources: Buffer[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** Adds source[start, end). */
  add(source: Buffer, start: number, end: number): void {
    if (start >= end) return;
    const last = this.#sources.length - 1;
    if (last >= 0 && this.#sources[last] === source && this.#ends[last] === start) {
      this.#ends[last] = end;
      return;
    }
    this.#sources.push(source);
    this.#starts.push(start);
    this.#ends.push(end);
  }

  /**
   * All that was added since the last take: a view where it is one piece, else a copy; undefined if it is
   * nothing.
   */
  take(): Buffer | undefined {
    const pieces = this.#sources.length;
    const first = this.#sources[0];
    if (first === undefined) return undefined;
    let taken: Buffer;
    if (pieces === 1) {
      taken = first.subarray(this.#starts[0], this.#ends[0]);
    } else {
      let length = 0;
      for (let i = 0; i < pieces; i++) length += (this.#ends[i] ?? 0) - (this.#starts[i] ?? 0);
      taken = Buffer.allocUnsafe(length);
      let at = 0;
      for (let i = 0; i < pieces; i++)
        at += this.#sources[i]?.copy(taken, at, this.#starts[i], this.#ends[i]) ?? 0;
    }
    this.#sources.length = 0;
    this.#starts.length = 0;
    this.#ends.length = 0;
    return taken;
  }
}
