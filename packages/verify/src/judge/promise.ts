import type { BucketView } from '@nexus/domain';
import { isMoney } from '../listed-limits.ts';

const PERIODS = new Map([
  [1_000, 'a second'],
  [60_000, 'a minute'],
  [3_600_000, 'an hour'],
]);

/** What a limit promises, in words. */
export function promiseOf(view: BucketView): string {
  const { limit, size } = view;
  if (limit.kind === 'concurrency') return `${size} at once`;
  if (limit.kind === 'calendar')
    return `${shownUnits(view, limit.amount)} a ${limit.period} in ${limit.timeZone}`;
  const rate = `${shownUnits(view, limit.amount)} ${PERIODS.get(limit.periodMs) ?? `each ${limit.periodMs} ms`}`;
  return `${rate}, burst ${shownUnits(view, limit.burst)}`;
}

/** Units of a limit as people read them: money in dollars. */
export function shownUnits(view: BucketView, units: number): string {
  return isMoney(view) ? `$${(units / 1e9).toFixed(Math.abs(units) < 1e7 ? 6 : 2)}` : String(units);
}
