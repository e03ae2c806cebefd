import type { BucketView, Decision, Demand, Reservation } from './decision.ts';
import type { OwnerLimits } from './limit.ts';

/** One request before the limiter. */
export interface Admission {
  /** Unique to the request: what makes admit, settle, cancel and renew idempotent. */
  readonly requestId: string;
  /** All owners it is charged to: all or none. */
  readonly owners: readonly OwnerLimits[];
  readonly demand: Demand;
  /**
   * How long the request may wait for its rate buckets to refill instead of being denied (ms); default 0. Slots, calendar windows
   * and the room that holds leave must be there now.
   */
  readonly maxWaitMs?: number;
}

/** What a request really used, in the units of its demand. */
export interface Settlement {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** What the call cost, in nano-dollars; absent: nothing. */
  readonly nanoUsd?: number;
}

/** What was used of one owner's windows of the calendar that run now, as somebody other than the limiter has counted it. */
export interface WindowUse {
  readonly limits: OwnerLimits;
  /** One number for each of its buckets; those of buckets that are no windows of the calendar mean nothing. */
  readonly units: readonly number[];
}

/** How full the limiter's own house is, for /health. */
export interface LimiterState {
  /** Where the buckets live. */
  readonly keeper: 'memory' | 'redis';
  readonly status: 'ok' | 'degraded';
  /** Owners with a record right now. */
  readonly owners: number;
  /** Reservations neither settled nor cancelled nor run out. */
  readonly reservations: number;
}

/**
 * The contract of every limiter, in memory or in Redis.
 *
 * - `admit` decides over all buckets of all owners at once: everything is taken or nothing is, and a refusal leaves every
 *   bucket as it was. A request that may wait is sold the refill to come: it is admitted now, to begin at a later instant that is
 *   its own from then on (`Admitted.startsInMs`). In every window of time, what begins in it keeps within the limits.
 * - `settle` swaps what was held for what was used; more than was held becomes debt that refills. Slots come free.
 * - `cancel` gives everything back as if it had never been taken, and never more than that; also before the request has begun.
 * - With `record`, settle and cancel put a text into the ledger's stream in the very step that ends the request, where the limiter has such
 *   a stream: neither is ever without the other.
 * - `renew` keeps the holds of requests still under way; a hold that nobody renews ends by itself.
 * - `peek` reads without taking.
 * - `restore` makes sure that at least so much counts as used of windows of the calendar: what is on record, and the limiter may have forgotten.
 *
 * settle, cancel and renew may come twice, late or in any order: the first end counts, later ones change nothing.
 * They reject only if the limiter is closed.
 */
export interface Limiter {
  admit(admission: Admission): Promise<Decision>;
  settle(reservation: Reservation, used: Settlement, record?: string): Promise<void>;
  cancel(reservation: Reservation, record?: string): Promise<void>;
  renew(reservations: readonly Reservation[]): Promise<void>;
  peek(owners: readonly OwnerLimits[]): Promise<readonly BucketView[]>;
  restore(uses: readonly WindowUse[]): Promise<void>;
  state(): LimiterState;
  close(): Promise<void>;
}
