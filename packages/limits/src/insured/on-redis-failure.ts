import type { BucketLimit, OnRedisFailure } from '@nexus/domain';

/** How each class of limits is decided while Redis is away. */
export interface OnRedisFailureByClass {
  /** Rates and slots: what they let through too much is over in a moment. */
  readonly rates: OnRedisFailure;
  /** Windows of the calendar: what they let through too much is gone until the window ends. */
  readonly budgets: OnRedisFailure;
}

/** One word is meant for both classes. */
export function byClass(words: OnRedisFailure | OnRedisFailureByClass): OnRedisFailureByClass {
  return typeof words === 'string' ? { rates: words, budgets: words } : words;
}

/** How one limit is decided: as it says itself, or as its class is. */
export function wordFor(limit: BucketLimit, words: OnRedisFailureByClass): OnRedisFailure {
  return limit.onRedisFailure ?? (limit.kind === 'calendar' ? words.budgets : words.rates);
}
