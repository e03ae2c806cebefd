import { type CalendarView, isCalendar, isMoney, nameOf } from '../listed-limits.ts';
import type { LimitRow } from '../report.ts';
import type { RunRecord } from '../run-record.ts';
import { admittedUnder, unitsOf } from './admitted.ts';
import { promiseOf } from './promise.ts';

/** The shortest day and month there are, where clocks are put forward for summer. */
const SHORTEST_MS = { day: 23 * 3_600_000, month: (28 * 24 - 1) * 3_600_000 };

type Seen = Pick<RunRecord, 'before' | 'after' | 'phases'>;

/** Judges a day's or month's amount: whether all that the run saw let through was counted. Others may have used more. */
export function calendarRow(view: CalendarView, run: Seen): LimitRow {
  const limit = nameOf(view);
  const base = { limit, promise: promiseOf(view), isUnderUsed: false };
  if (isMoney(view)) return { ...base, state: 'not driven', note: 'money is only read' };
  const after = run.after.buckets.filter(isCalendar).find((other) => nameOf(other) === limit);
  if (after === undefined) return { ...base, state: 'not driven', note: 'it was gone at the end' };
  const through = admittedUnder(view, run.phases).reduce(
    (sum, call) => sum + unitsOf(call, view.limit.counts),
    0,
  );
  const used = view.available - after.available;
  if (used < 0 || mayHaveBegunAnew(after, run))
    return { ...base, state: 'not driven', note: `a new ${view.limit.period} may have begun meanwhile` };
  const numbers = {
    allowed: view.available,
    through,
    usedShare: view.available > 0 ? through / view.available : 0,
  };
  if (used >= through) return { ...base, ...numbers, state: 'counted', note: 'read, not driven to its end' };
  return { ...base, ...numbers, state: 'miscounted', note: `only ${used} of ${through} were counted` };
}

function mayHaveBegunAnew({ limit, untilFullMs }: CalendarView, { before, after }: Seen): boolean {
  return untilFullMs + (after.answeredMs - before.sentMs) >= SHORTEST_MS[limit.period];
}
