import type { EndedRequests } from './ended-requests.ts';
import { HeldRequest } from './held-request.ts';
import { isRecordIdle, type OwnerRecord } from './owner-record.ts';

/** Records looked at for each call: more than a call makes, so that sweeping is never slower than making. */
const LOOKS_A_CALL = 2;
/** Calls whose looks are made at once: to begin costs more than to look. */
const CALLS_A_STEP = 16;
const ROUND_EVERY_MS = 500;
/** Some 2 ms of work at most. */
const ROUND = 5_000;

export interface Swept {
  readonly records: Map<string, OwnerRecord>;
  readonly requests: Map<string, HeldRequest>;
  readonly ended: EndedRequests;
  /** How long a request is remembered whose leases ran out. */
  readonly keepMs: number;
  readonly nowMs: () => number;
}

/** Goes round the records and forgets what is idle, a few at a time. */
export class Sweeper {
  readonly #swept: Swept;
  #nextRecord: Iterator<OwnerRecord>;
  #nextRequest: Iterator<HeldRequest>;
  #timer: NodeJS.Timeout | undefined;
  #calls = 0;

  constructor(swept: Swept) {
    this.#swept = swept;
    this.#nextRecord = swept.records.values();
    this.#nextRequest = swept.requests.values();
  }

  /** A few steps on, for a call. */
  step(nowMs: number): void {
    this.#calls += 1;
    if (this.#calls < CALLS_A_STEP) return;
    this.#calls = 0;
    this.#sweepRecords(nowMs, LOOKS_A_CALL * CALLS_A_STEP);
    this.#sweepRequests(nowMs, LOOKS_A_CALL * CALLS_A_STEP);
  }

  /** Sweeps while no calls come. The timer ends when nothing is left, and never keeps the process alive. */
  start(): void {
    this.#timer ??= setInterval(() => this.#round(), ROUND_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #round(): void {
    const { records, requests, ended } = this.#swept;
    const nowMs = this.#swept.nowMs();
    this.#sweepRecords(nowMs, ROUND);
    this.#sweepRequests(nowMs, ROUND);
    ended.turn(nowMs);
    if (records.size + requests.size + ended.size === 0) this.stop();
  }

  #sweepRecords(nowMs: number, count: number): void {
    const { records } = this.#swept;
    for (let looked = 0; looked < count; looked += 1) {
      const { done, value: record } = this.#nextRecord.next();
      if (done) {
        this.#nextRecord = records.values();
        return;
      }
      if (!isRecordIdle(record, nowMs)) continue;
      record.gone = true;
      records.delete(record.owner);
    }
  }

  #sweepRequests(nowMs: number, count: number): void {
    const { requests, keepMs } = this.#swept;
    for (let looked = 0; looked < count; looked += 1) {
      const { done, value: request } = this.#nextRequest.next();
      if (done) {
        this.#nextRequest = requests.values();
        return;
      }
      if (nowMs >= HeldRequest.endMsOf(request) + keepMs) requests.delete(request.requestId);
    }
  }
}
