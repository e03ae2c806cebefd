/**
 * What a limit counts. `model_tokens` are input and output together; `usd` is money, in integer nano-dollars, and a limit of it a
 * budget.
 */
export type Counted = 'requests' | 'model_tokens' | 'input_tokens' | 'output_tokens' | 'usd';

/**
 * How a limit is decided while Redis is away. `local`: by this instance's part of it. `closed`: not at all, the request is answered
 * `limiter_unavailable`. `open`: it refuses nothing, but counts on.
 */
export type OnRedisFailure = 'local' | 'closed' | 'open';

/** What every limit with a bucket may say of itself. */
interface BucketOptions {
  /** Absent: as its class of limits is told to. */
  readonly onRedisFailure?: OnRedisFailure;
  /** Tried and logged, never refuses. */
  readonly shadow?: true;
}

/**
 * A bucket with continuous refill: `amount` units come back every `periodMs`, and at most `burst` are ever there.
 * In every window of t milliseconds no more than `burst + amount · t / periodMs` units pass.
 */
export interface RateLimit extends BucketOptions {
  readonly kind: 'rate';
  /** As the configuration names it, e.g. `requests_per_second`. */
  readonly name: string;
  readonly counts: Counted;
  readonly periodMs: number;
  readonly amount: number;
  readonly burst: number;
}

/** A fixed amount for each day or month of the calendar, in `timeZone` (IANA name). */
export interface CalendarLimit extends BucketOptions {
  readonly kind: 'calendar';
  /** E.g. `model_tokens_per_day`. */
  readonly name: string;
  readonly counts: Counted;
  readonly period: 'day' | 'month';
  readonly amount: number;
  readonly timeZone: string;
  /** Per cent of the amount at which an alert goes out, ascending; absent: at none. */
  readonly alertAt?: readonly number[];
}

/** At most `slots` requests in flight at once. */
export interface ConcurrencyLimit extends BucketOptions {
  readonly kind: 'concurrency';
  /** `concurrent_requests`. */
  readonly name: string;
  readonly slots: number;
}

/** A ceiling for one request by itself; it has no state. */
export interface SizeLimit {
  readonly kind: 'size';
  readonly name: 'max_request_tokens' | 'max_output_tokens';
  readonly shadow?: true;
  readonly amount: number;
}

/** A limit whose state is a bucket. */
export type BucketLimit = RateLimit | CalendarLimit | ConcurrencyLimit;

export type Limit = BucketLimit | SizeLimit;

/**
 * The limits of one owner: a key, a model, the gateway. An owner's buckets live and are decided together.
 * `owner` is the bucket owner's name as users see it (`key:search-prod`, `model:gpt-4o*`, `gateway`); it never holds a secret.
 */
export interface OwnerLimits {
  readonly owner: string;
  readonly buckets: readonly BucketLimit[];
  readonly sizes: readonly SizeLimit[];
  /** Limits that are only tried; they stand in none of the lists above. Absent: none. */
  readonly shadows?: readonly Limit[];
}
