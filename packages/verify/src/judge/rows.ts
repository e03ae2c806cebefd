import { isCalendar, isRate } from '../listed-limits.ts';
import type { LimitRow } from '../report.ts';
import type { RunRecord } from '../run-record.ts';
import { calendarRow } from './calendar-row.ts';
import { rateRow } from './rate-row.ts';
import { slotRow } from './slot-row.ts';

/** Judges every limit of the key by all that the run saw. */
export function limitRows(run: RunRecord): LimitRow[] {
  return run.before.buckets.map((view) => {
    if (isRate(view)) return rateRow(view, run);
    if (isCalendar(view)) return calendarRow(view, run);
    return slotRow(view, run);
  });
}
