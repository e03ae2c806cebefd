import type { BucketView } from '@nexus/domain';

const PERIODS = new Map([
  [1_000, 'a second'],
  [60_000, 'a minute'],
  [3_600_000, 'an hour'],
]);

/** What a limit promises, in words. */
export function promiseOf({ limit, size }: BucketView): string {
  if (limit.kind === 'concurrency') return `${size} at once`;
  if (limit.kind === 'calendar') return `${limit.amount} a ${limit.period} in ${limit.timeZone}`;
  const rate = `${limit.amount} ${PERIODS.get(limit.periodMs) ?? `each ${limit.periodMs} ms`}`;
  return `${rate}, burst ${limit.burst}`;
}
