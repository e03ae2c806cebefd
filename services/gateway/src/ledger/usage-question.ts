import type { Config } from '@nexus/config';
import type { Dimension, UsageQuery } from '@nexus/ledger';

/** What a report is asked for, as users write it: in flags, or in the query of the admin API. */
export interface UsageTexts {
  readonly by?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly month?: string | undefined;
}

/** What a report answers; or what is wrong with what it was asked. */
export type UsageQuestion = { readonly query: UsageQuery } | { readonly wrong: string };

/** No report has more days: it is five years and more. */
const MOST_DAYS = 2_000;

/**
 * Reads what a report is asked for. By default it is of the month so far, in the configuration's time zone, by team, or by key where there are no
 * teams.
 */
export async function usageQuestion(
  { by, since, until, month }: UsageTexts,
  { timeZone, teams }: Pick<Config, 'timeZone' | 'teams'>,
  nowMs: number,
): Promise<UsageQuestion> {
  const { Days, DIMENSIONS, dayPlus, daysOfMonth, isDay, isDimension } = await import('@nexus/ledger');
  const dimensions: Dimension[] = [];
  const names = by ?? (teams.size > 0 ? 'team' : 'key');
  for (const name of names === '' ? [] : names.split(',').map((text) => text.trim())) {
    if (!isDimension(name)) return { wrong: `by is a list of ${DIMENSIONS.join(', ')}` };
    if (dimensions.includes(name)) return { wrong: `by names ${name} twice` };
    dimensions.push(name);
  }
  if (month !== undefined && (since !== undefined || until !== undefined))
    return { wrong: 'month stands alone, without since and until' };
  const today = new Days(timeZone).of(nowMs);
  const whole = daysOfMonth(month ?? today.slice(0, 7));
  if (whole === undefined) return { wrong: 'month is such as 2026-11' };
  const first = since ?? whole.since;
  const last = until ?? (month === undefined ? laterOf(today, first) : whole.until);
  if (!isDay(first)) return { wrong: 'since is a day, such as 2026-11-01' };
  if (!isDay(last)) return { wrong: 'until is a day, such as 2026-11-30' };
  if (last < first) return { wrong: 'until is before since' };
  if (last > dayPlus(first, MOST_DAYS))
    return { wrong: `from since until until are more than ${MOST_DAYS} days` };
  return { query: { since: first, until: last, by: dimensions } };
}

function laterOf(one: string, other: string): string {
  return one > other ? one : other;
}
