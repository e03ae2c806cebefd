import { goDuration } from './go-duration.ts';

/** Limits of a tier, as OpenAI has them: for each organization and model. What is absent doesn't limit. */
export interface TierLimits {
  readonly requestsPerMinute?: number;
  readonly requestsPerDay?: number;
  readonly tokensPerMinute?: number;
}

interface Meter {
  readonly type: 'requests' | 'tokens';
  /** As OpenAI's refusals name it. */
  readonly title: string;
  readonly limit: number;
  readonly periodMs: number;
}

interface Bucket {
  used: number;
  atMs: number;
}

/** What the headers of an answer tell about one kind of limit. */
export interface LimitState {
  readonly limit: number;
  readonly remaining: number;
  /** Until the bucket is full again. */
  readonly resetMs: number;
}

/** Which limit refused. */
export interface TierRefusal {
  readonly type: 'requests' | 'tokens';
  readonly title: string;
  readonly limit: number;
  readonly used: number;
  readonly requested: number;
  /** Until the same request fits; never if it is larger than the limit. */
  readonly waitMs: number | 'never';
}

export interface Verdict {
  readonly requests: LimitState;
  readonly tokens: LimitState;
  readonly refusal?: TierRefusal;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** What the headers show where no tier limits: every request finds full buckets of this size. */
const NOMINAL = { requestsPerMinute: 10_000, tokensPerMinute: 2_000_000 } as const;

/** More than one organization and model ever needs in a test; the oldest goes first. */
const MAX_OWNERS = 10_000;

/** Absorbs the rounding of `used − elapsed · limit / period`. */
const EPSILON = 1e-6;

/**
 * OpenAI's limiter as its published refusals describe it: a bucket whose size is the limit, refilled continuously, where
 * `try again in` = (Used + Requested − Limit) / Limit × period. A refused request takes nothing.
 */
export class TierLimiter {
  readonly #meters: readonly Meter[];
  readonly #owners = new Map<string, Bucket[]>();
  readonly #nowMs: () => number;

  constructor(tier: TierLimits, nowMs: () => number) {
    const meters: Meter[] = [];
    const add = (type: Meter['type'], title: string, limit: number | undefined, periodMs: number) => {
      if (limit !== undefined) meters.push({ type, title, limit, periodMs });
    };
    add('requests', 'requests per min (RPM)', tier.requestsPerMinute, MINUTE_MS);
    add('requests', 'requests per day (RPD)', tier.requestsPerDay, DAY_MS);
    add('tokens', 'tokens per min (TPM)', tier.tokensPerMinute, MINUTE_MS);
    this.#meters = meters;
    this.#nowMs = nowMs;
  }

  /** Takes a request and its tokens for `owner` (a credential and a model), all or nothing. */
  admit(owner: string, tokens: number): Verdict {
    if (this.#meters.length === 0) return nominalVerdict(tokens);
    const buckets = this.#bucketsOf(owner);
    const nowMs = this.#nowMs();
    let refusal: TierRefusal | undefined;
    this.#meters.forEach((meter, i) => {
      const bucket = buckets[i];
      if (bucket === undefined) return;
      refill(bucket, meter, nowMs);
      const requested = meter.type === 'requests' ? 1 : tokens;
      const over = bucket.used + requested - meter.limit;
      if (over <= EPSILON) return;
      const waitMs = requested > meter.limit ? 'never' : (over / meter.limit) * meter.periodMs;
      if (refusal !== undefined && !longer(waitMs, refusal.waitMs)) return;
      const used = Math.ceil(bucket.used - EPSILON);
      refusal = { type: meter.type, title: meter.title, limit: meter.limit, used, requested, waitMs };
    });
    if (refusal === undefined) {
      this.#meters.forEach((meter, i) => {
        const bucket = buckets[i];
        if (bucket !== undefined) bucket.used += meter.type === 'requests' ? 1 : tokens;
      });
    }
    const states = {
      requests: this.#state('requests', buckets, NOMINAL.requestsPerMinute),
      tokens: this.#state('tokens', buckets, NOMINAL.tokensPerMinute),
    };
    return refusal === undefined ? states : { ...states, refusal };
  }

  #bucketsOf(owner: string): Bucket[] {
    let buckets = this.#owners.get(owner);
    if (buckets === undefined) {
      if (this.#owners.size >= MAX_OWNERS) {
        const oldest = this.#owners.keys().next();
        if (!oldest.done) this.#owners.delete(oldest.value);
      }
      buckets = this.#meters.map(() => ({ used: 0, atMs: this.#nowMs() }));
      this.#owners.set(owner, buckets);
    }
    return buckets;
  }

  /**
   * The bucket of a kind that takes longest to fill: where requests are limited by minute and by day, OpenAI's headers show the day
   * (limit 10000, remaining 9999, reset 8.64s, of models with 500 a minute), unless that is full.
   */
  #state(type: Meter['type'], buckets: readonly Bucket[], nominal: number): LimitState {
    let slowest: LimitState | undefined;
    this.#meters.forEach((meter, i) => {
      const bucket = buckets[i];
      if (meter.type !== type || bucket === undefined) return;
      const remaining = Math.max(0, Math.floor(meter.limit - bucket.used + EPSILON));
      const resetMs = (bucket.used / meter.limit) * meter.periodMs;
      if (slowest !== undefined && slowest.resetMs >= resetMs) return;
      slowest = { limit: meter.limit, remaining, resetMs };
    });
    return slowest ?? { limit: nominal, remaining: nominal - 1, resetMs: MINUTE_MS / nominal };
  }
}

function refill(bucket: Bucket, meter: Meter, nowMs: number): void {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  bucket.used = Math.max(0, bucket.used - (elapsedMs * meter.limit) / meter.periodMs);
  bucket.atMs = nowMs;
}

function longer(waitMs: number | 'never', than: number | 'never'): boolean {
  if (than === 'never') return false;
  return waitMs === 'never' || waitMs > than;
}

/** One request of `tokens` tokens on full buckets of the nominal size. */
export function nominalVerdict(tokens: number): Verdict {
  const { requestsPerMinute, tokensPerMinute } = NOMINAL;
  const remaining = Math.max(0, tokensPerMinute - tokens);
  return {
    requests: {
      limit: requestsPerMinute,
      remaining: requestsPerMinute - 1,
      resetMs: MINUTE_MS / requestsPerMinute,
    },
    tokens: {
      limit: tokensPerMinute,
      remaining,
      resetMs: ((tokensPerMinute - remaining) / tokensPerMinute) * MINUTE_MS,
    },
  };
}

/**
 * OpenAI's `x-ratelimit-*` as name, value, name, value… Resets are cut to whole milliseconds, as in published samples (62 of 200,000 tokens: `18ms`);
 * Azure tells them in whole seconds.
 */
export function openaiLimitHeaders({ requests, tokens }: Verdict, azure: boolean): string[] {
  const reset = azure ? (ms: number) => `${Math.ceil(ms / 1000)}` : cutDuration;
  return [
    'x-ratelimit-limit-requests',
    `${requests.limit}`,
    'x-ratelimit-limit-tokens',
    `${tokens.limit}`,
    'x-ratelimit-remaining-requests',
    `${requests.remaining}`,
    'x-ratelimit-remaining-tokens',
    `${tokens.remaining}`,
    'x-ratelimit-reset-requests',
    reset(requests.resetMs),
    'x-ratelimit-reset-tokens',
    reset(tokens.resetMs),
  ];
}

function cutDuration(ms: number): string {
  return goDuration(Math.floor(ms + EPSILON));
}

/** `anthropic-ratelimit-*`; resets are times (RFC 3339, whole seconds). One token bucket stands for all three kinds. */
export function anthropicLimitHeaders({ requests, tokens }: Verdict, nowMs: number): string[] {
  const headers: string[] = [];
  const add = (kind: string, state: LimitState) => {
    const reset = `${new Date(nowMs + Math.ceil(state.resetMs / 1000) * 1000).toISOString().slice(0, 19)}Z`;
    const name = `anthropic-ratelimit-${kind}`;
    headers.push(
      `${name}-limit`,
      `${state.limit}`,
      `${name}-remaining`,
      `${state.remaining}`,
      `${name}-reset`,
      reset,
    );
  };
  add('requests', requests);
  add('tokens', tokens);
  add('input-tokens', tokens);
  add('output-tokens', tokens);
  return headers;
}
