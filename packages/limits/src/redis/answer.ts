import type { Asking } from './asking.ts';
import { CALENDAR_CHARGED, CALENDAR_HELD } from './compiled-owner.ts';

/** What admit.lua says to one request; 2, as 1: the same request was admitted before. */
export const ADMITTED = 1;
export const DENIED = 0;
export const ENDED = -1;
export const OUT_OF_BOUNDS = -2;

/** One request's part of an answer. */
export interface Answer {
  readonly status: number;
  /** Redis' time when it decided (ms). */
  readonly nowMs: number;
  /** With OUT_OF_BOUNDS: a time round which the calendar's bounds must lie. */
  readonly strangeMs: number;
  /** Until the request begins (ms); of one refused, where others are to begin: until it would be let in. Else 0. */
  readonly waitMs: number;
  /** Each owner's own time: later than `nowMs` only after Redis' clock was set back. */
  readonly timesMs: readonly number[];
  /** Of each bucket, in order: grains free. */
  readonly free: readonly number[];
  /** Grains that would be free if everything came back that was held or open before. */
  readonly back: readonly number[];
  /** The window that a calendar's bucket is in; 0 for others. */
  readonly windows: readonly number[];
}

/** Reads the integers of an answer, one after the other. */
export class AnswerReader {
  readonly #bytes: Buffer;
  #at: number;

  /** @throws TypeError if it isn't the answer of one of our scripts */
  constructor(reply: unknown) {
    if (!Buffer.isBuffer(reply)) throw new TypeError('Redis answered a script with something else');
    this.#bytes = reply;
    // The head of a msgpack array, of one, three or five bytes, tells what the end of the answer tells as well.
    this.#at = reply[0] === 0xdc ? 3 : reply[0] === 0xdd ? 5 : 1;
  }

  /**
   * The next integer, as Lua's cmsgpack writes it.
   * @throws RangeError past the end
   */
  next(): number {
    const bytes = this.#bytes;
    const head = bytes.readUInt8(this.#at);
    const at = this.#at + 1;
    if (head < 0x80 || head >= 0xe0) {
      this.#at = at;
      return head < 0x80 ? head : head - 0x100;
    }
    // 0xcc to 0xcf and 0xd0 to 0xd3 are of 1, 2, 4 and 8 bytes, without a sign and with one.
    const size = 1 << (head & 3);
    this.#at = at + size;
    const isSigned = head >= 0xd0;
    if (size === 8) return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
    return isSigned ? bytes.readIntBE(at, size) : bytes.readUIntBE(at, size);
  }

  nextAnswer({ owners }: Asking, nowMs: number): Answer {
    const status = this.next();
    const timesMs: number[] = [];
    const free: number[] = [];
    const back: number[] = [];
    const windows: number[] = [];
    const answer = { status, nowMs, strangeMs: 0, timesMs, waitMs: 0, free, back, windows };
    if (status === ENDED) return answer;
    if (status === OUT_OF_BOUNDS) return { ...answer, strangeMs: this.next() };
    const waitMs = this.next();
    for (const { buckets } of owners) {
      timesMs.push(this.next());
      for (const { kind } of buckets) {
        free.push(this.next());
        back.push(this.next());
        windows.push(kind === CALENDAR_HELD || kind === CALENDAR_CHARGED ? this.next() : 0);
      }
    }
    return { ...answer, waitMs };
  }
}
