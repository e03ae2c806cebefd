import type { LimiterState, OnRedisFailure, WindowUse } from '@nexus/domain';
import type { RedisLimiterOptions } from '../redis/redis-limiter-options.ts';
import type { OnRedisFailureByClass } from './on-redis-failure.ts';

/** A change of the limiter's state, once each. */
export interface InsuranceChange {
  readonly status: LimiterState['status'];
  /** How rates and slots are decided from now on, but for limits with a word of their own. */
  readonly decides: 'redis' | OnRedisFailure;
  /** How windows of the calendar are. */
  readonly decidesBudgets: 'redis' | OnRedisFailure;
  /** Instances that share the limits, as last seen. */
  readonly instances: number;
  /** Redis has lost what it knew: rates are full again. */
  readonly wasEmptied: boolean;
  /** Why Redis can't decide. */
  readonly cause?: unknown;
  /** How long it couldn't, when it is back. */
  readonly awayMs?: number;
}

export interface InsuredLimiterOptions extends RedisLimiterOptions {
  /** One word for all limits, or one for each class of them; a limit's own word comes first. Default `local`. */
  readonly onRedisFailure?: OnRedisFailure | OnRedisFailureByClass;
  readonly onState?: (change: InsuranceChange) => void;
  /** What is on record of windows of the calendar: asked when Redis has forgotten something. It never rejects. Default: nothing. */
  readonly onRecord?: () => Promise<readonly WindowUse[]>;
}
