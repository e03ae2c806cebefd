import type { Asking } from './asking.ts';
import { CALENDAR_CHARGED, CALENDAR_HELD, SLOTS } from './compiled-owner.ts';

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
  #at = 0;

  /** @throws TypeError if it isn't the answer of one of our scripts */
  constructor(reply: unknown) {
    if (!Buffer.isBuffer(reply)) throw new TypeError('Redis answered a script with something else');
    this.#bytes = reply;
  }

  /**
   * The next integer, a double with its little end first.
   * @throws RangeError past the end
   */
  next(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  nextAnswer({ owners, units, requests }: Asking, nowMs: number): Answer {
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
      for (const { kind, grain } of buckets) {
        // Redis tells what was free before the request took of it.
        const took = status !== ADMITTED ? 0 : kind === SLOTS ? requests : (units[free.length] ?? 0) * grain;
        free.push(this.next() - took);
        back.push(this.next());
        windows.push(kind === CALENDAR_HELD || kind === CALENDAR_CHARGED ? this.next() : 0);
      }
    }
    return { ...answer, waitMs };
  }
}
