import type { BucketLimit } from './limit.ts';

/** A bucket as a client may see it: its state right after a decision, in the units that it counts. */
export interface BucketView {
  readonly owner: string;
  readonly limit: BucketLimit;
  /** Burst, slots or the calendar amount: the most that can be available. */
  readonly size: number;
  /**
   * Whole units free now, less those of requests that have yet to begin; below 0 while requests wait, and after an answer that used
   * more than was reserved.
   */
  readonly available: number;
  /** Until the bucket is full again if nothing more is taken; for slots 0. Requests that have yet to begin count as begun. */
  readonly untilFullMs: number;
}

/** Which bucket refused, and by how much. */
export interface Refusal {
  readonly owner: string;
  readonly limit: BucketLimit;
  /** Units in use before this request, rounded up: size − available. */
  readonly used: number;
  /** Units that this request asked for. */
  readonly requested: number;
  readonly size: number;
}

export interface Admitted {
  readonly admitted: true;
  /** Decided without the store that all instances share. */
  readonly degraded?: true;
  readonly reservation: Reservation;
  /** When the request may begin, in milliseconds from the decision; 0: at once. Never above the admission's `maxWaitMs`. */
  readonly startsInMs: number;
  readonly buckets: readonly BucketView[];
}

export interface Denied {
  readonly admitted: false;
  /** Decided without the store that all instances share. */
  readonly degraded?: true;
  /** The refusal with the longest wait. */
  readonly refusal: Refusal;
  /**
   * Milliseconds until the same request would be admitted without a wait if nobody else takes anything: refused one millisecond
   * before, admitted then. Those that wait already come first. `never` when the request asks for more than the bucket can ever
   * hold. For slots, and where live holds bar the way, the time is an expectation: it depends on when other requests end.
   */
  readonly retryAfterMs: number | 'never';
  readonly buckets: readonly BucketView[];
}

/** What the limiter says to one request. A denial is a value, never an exception. */
export type Decision = Admitted | Denied;

/** What one request takes from the buckets of its owners. Integers ≥ 0. */
export interface Demand {
  /** Charged at once; given back only by `cancel`. */
  readonly requests: number;
  /** Held until settled. */
  readonly inputTokens: number;
  /** Held until settled. */
  readonly outputTokens: number;
  /** What the call may cost, in nano-dollars: held until settled. Absent: nothing. */
  readonly nanoUsd?: number;
}

/**
 * What was taken for one request, until it is settled or cancelled. Made by a limiter alone;
 * whoever has one has been admitted.
 */
export interface Reservation {
  readonly requestId: string;
  readonly demand: Demand;
}
