import type { RateBound } from './windows.ts';

/** A bucket of whole requests, as it was when a replay begins. */
export interface ReplayBucket extends RateBound {
  readonly available: number;
}

/**
 * How many of these calls exact buckets would have let through together, each call asking for one unit of every bucket at
 * the moment it was sent. What was let through is compared with it: a bucket of 1 can't be used up by calls that come too
 * seldom, and that is not its fault.
 *
 * @param sentMs when each call was sent, by a clock that never jumps
 * @param startMs when the buckets were as `available` says, by the same clock
 */
export function replay(sentMs: readonly number[], buckets: readonly ReplayBucket[], startMs: number): number {
  const levels = buckets.map(({ available, periodMs }) => available * periodMs);
  let nowMs = Math.floor(startMs);
  let through = 0;
  for (const atMs of sentMs.map(Math.floor).sort((a, b) => a - b)) {
    const elapsedMs = Math.max(0, atMs - nowMs);
    nowMs = Math.max(nowMs, atMs);
    for (const [index, { amount, periodMs, burst }] of buckets.entries())
      levels[index] = Math.min(burst * periodMs, (levels[index] ?? 0) + elapsedMs * amount);
    if (!buckets.every(({ periodMs }, index) => (levels[index] ?? 0) >= periodMs)) continue;
    through += 1;
    for (const [index, { periodMs }] of buckets.entries()) levels[index] = (levels[index] ?? 0) - periodMs;
  }
  return through;
}
