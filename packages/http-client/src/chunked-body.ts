/** The longest line of a chunk's size, with its extensions, or of a trailer. */
const LONGEST_LINE = 4_096;
/** The most bytes of trailers. */
const MOST_TRAILER_BYTES = 16_384;
/** RFC 9112 §7.1: hexadecimal digits, and extensions that nobody needs. */
const SIZE_LINE = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const TRAILER_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*$/;

/** What a size's line, and the end of a chunk's data, can begin with: anything else need not be waited for. */
const BEGUN_SIZE_LINE = /^[0-9A-Fa-f]{0,12}(?:[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r?)$/;
const BEGUN_END_OF_DATA = /^\r?$/;

const LF = 0x0a;

/** Where the reader of a chunked body stands. */
type Place = 'size' | 'data' | 'after data' | 'trailers' | 'over';

/** Reads a body that comes in chunks (RFC 9112 §7.1). */
export class ChunkedBody {
  #place: Place = 'size';
  #left = 0;
  /** The beginning of a line whose end hasn't come. */
  #line = '';
  #trailerBytes = 0;

  get isOver(): boolean {
    return this.#place === 'over';
  }

  /**
   * Takes bytes of the connection, up to the end of the body.
   * @param give gets each piece of data
   * @returns how many bytes were the body's; -1 if they are none of a chunked body
   */
  take(bytes: Buffer, give: (data: Buffer) => void): number {
    let at = 0;
    while (at < bytes.length && this.#place !== 'over') {
      if (this.#place === 'data') {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        if (this.#left === 0) this.#place = 'after data';
        give(bytes.subarray(at, end));
        at = end;
        continue;
      }
      const end = bytes.indexOf(LF, at);
      this.#line += bytes.toString('latin1', at, end < 0 ? bytes.length : end);
      if (this.#line.length > LONGEST_LINE) return -1;
      if (end < 0) return this.#mayBecomeLine() ? bytes.length : -1;
      if (!this.#line.endsWith('\r') || !this.#takeLine(this.#line.slice(0, -1))) return -1;
      this.#line = '';
      at = end + 1;
    }
    return at;
  }

  #mayBecomeLine(): boolean {
    if (this.#place === 'size') return BEGUN_SIZE_LINE.test(this.#line);
    return this.#place === 'trailers' || BEGUN_END_OF_DATA.test(this.#line);
  }

  #takeLine(line: string): boolean {
    if (this.#place === 'after data') {
      this.#place = 'size';
      return line === '';
    }
    if (this.#place === 'trailers') {
      this.#trailerBytes += line.length + 2;
      if (line === '') this.#place = 'over';
      else return this.#trailerBytes <= MOST_TRAILER_BYTES && TRAILER_LINE.test(line);
      return true;
    }
    const size = SIZE_LINE.exec(line)?.[1];
    if (size === undefined) return false;
    this.#left = Number.parseInt(size, 16);
    this.#place = this.#left === 0 ? 'trailers' : 'data';
    return true;
  }
}
