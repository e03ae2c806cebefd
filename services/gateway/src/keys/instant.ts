import { parseDate, parseDuration } from '@nexus/config';

/** The end of the year 9999: what a date can be written as. */
const LAST_MS = 253_402_300_799_999;

/**
 * An instant to come, as users write it: a duration from now such as `90d`, a day such as `2027-03-31` (its end, in that time zone) or
 * `2027-03-31T12:00:00Z`. In milliseconds since 1970; undefined for anything else.
 */
export function instantOf(given: unknown, timeZone: string, nowMs: number): number | undefined {
  if (typeof given !== 'string') return undefined;
  const durationMs = parseDuration(given);
  const ms = durationMs === undefined ? parseDate(given, timeZone) : nowMs + durationMs;
  return ms !== undefined && ms > nowMs && ms <= LAST_MS ? Math.floor(ms) : undefined;
}
