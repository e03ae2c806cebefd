import type { Connections } from './connections.ts';

/** The ledger's stream, into which finish.lua puts what is told of requests that end. */
export interface RecordStream {
  /** Its key, and that of the count of records that had no room in it. They have the hash tag of the limiter's keys. */
  readonly stream: string;
  readonly lost: string;
  /** The most records that it may hold. */
  readonly most: number;
}

export interface RedisLimiterOptions {
  /** Closed with the limiter. */
  readonly connections: Connections;
  /**
   * What every key begins with, as a hash tag: `{nexus}`, so that all keys of one prefix share a slot of a cluster. Default
   * `nexus`.
   */
  readonly keyPrefix?: string;
  /** How long a hold lives that nobody renews, at least; at most `sliceMs` longer. The same on every instance. Default 60 s. */
  readonly leaseMs?: number;
  /** Default 15 s. */
  readonly sliceMs?: number;
  /** How many ends may wait for Redis. Default 100,000. */
  readonly maxQueued?: number;
  /**
   * How long (ms), after ends were told, the next wait for company, or for an admission that takes them along. Default 5.
   */
  readonly gatherMs?: number;
  /** How many ends must have come within `gatherMs` for the next to wait: rarer ones are told at once. Default 8. */
  readonly gatherFrom?: number;
  /**
   * Whether to repeat a denial without asking Redis for as long as nothing that ends could make room, a second at most. Such a denial
   * shows the buckets as they were when Redis was asked, with the refill since. Default true.
   */
  readonly repeatDenials?: boolean;
  /** Absent: what `settle` and `cancel` are given to record goes nowhere. */
  readonly records?: RecordStream | undefined;
  /** For tests: takes the place of Redis' clock (ms), in scripts that only tests load. */
  readonly handClock?: () => number;
}
