import type { BucketLimit } from '@nexus/domain';
import { LARGEST, sizeOf } from '../limit-problem.ts';

/** An instance's part of every limit: one of `count` equal ones. */
export interface Share {
  readonly count: number;
  /** From 0: the first instances get what doesn't divide. */
  readonly place: number;
}

/** The part of an amount; the parts of all instances sum up to it. */
function shareOf(amount: number, { count, place }: Share): number {
  return Math.floor(amount / count) + (place < amount % count ? 1 : 0);
}

/** A limit's part. A rate keeps its amount in a period that is `count` times as long, which divides without a remainder. */
export function limitShare(limit: BucketLimit, share: Share): BucketLimit {
  if (limit.kind === 'concurrency') return { ...limit, slots: shareOf(limit.slots, share) };
  if (limit.kind === 'calendar') return { ...limit, amount: shareOf(limit.amount, share) };
  return { ...limit, periodMs: limit.periodMs * share.count, burst: shareOf(limit.burst, share) };
}

/**
 * A limit that refuses nothing, and whose bucket lacks at any time exactly what the limit's own would lack: only the most that can be in
 * it is larger. A limit of 0 stays as it is: to refuse everything it needs no Redis.
 */
export function withoutBound(limit: BucketLimit): BucketLimit {
  if (sizeOf(limit) === 0) return limit;
  if (limit.kind === 'concurrency') return { ...limit, slots: LARGEST - 1 };
  if (limit.kind === 'calendar') return { ...limit, amount: LARGEST - 1 };
  return { ...limit, burst: Math.floor((LARGEST - 1) / limit.periodMs) };
}
