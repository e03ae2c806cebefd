/** Offsets of time zones are whole quarters of an hour (since 1972): within one, the day is the same. */
const QUARTER_MS = 900_000;
const MOST_REMEMBERED = 4_096;

/** The days of a time zone's calendar, as `2026-11-03`. */
export class Days {
  readonly #format: Intl.DateTimeFormat;
  readonly #byQuarter = new Map<number, string>();

  /** @param timeZone an IANA name */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
  }

  /** The day of an instant (milliseconds since 1970). */
  of(ms: number): string {
    const quarter = Math.floor(ms / QUARTER_MS);
    const known = this.#byQuarter.get(quarter);
    if (known !== undefined) return known;
    const parts = new Map(
      this.#format.formatToParts(quarter * QUARTER_MS).map(({ type, value }) => [type, value]),
    );
    const day = `${(parts.get('year') ?? '').padStart(4, '0')}-${parts.get('month')}-${parts.get('day')}`;
    if (this.#byQuarter.size >= MOST_REMEMBERED) this.#byQuarter.clear();
    this.#byQuarter.set(quarter, day);
    return day;
  }
}

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const MONTH = /^(\d{4})-(\d{2})$/;
const DAY_MS = 86_400_000;

/** Whether it is a day of the calendar, written `2026-11-03`. */
export function isDay(text: string): boolean {
  const [, year, month, day] = DAY.exec(text) ?? [];
  if (year === undefined) return false;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

/** The first and the last day of a month written `2026-11`; undefined: it is none. */
export function daysOfMonth(text: string): { readonly since: string; readonly until: string } | undefined {
  const [, year, month] = MONTH.exec(text) ?? [];
  if (year === undefined || !isDay(`${text}-01`)) return undefined;
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return { since: `${text}-01`, until: `${text}-${String(last).padStart(2, '0')}` };
}

/** The day that is so many days later, or earlier. */
export function dayPlus(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** All days from one to another, both among them; none if the first is later. */
export function daysBetween(since: string, until: string): string[] {
  const days: string[] = [];
  for (let day = since; day <= until; day = dayPlus(day, 1)) days.push(day);
  return days;
}
