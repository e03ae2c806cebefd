const DAY_MS = 86_400_000;
/** No wall clock is further from UTC than this (zones reach from −12 h to +14 h, in history up to ±16 h). */
const FURTHEST_MS = 26 * 3_600_000;
/** Zones of today are whole quarters of an hour from UTC. */
const QUARTER_MS = 900_000;
const MAX_REMEMBERED = 64;

/**
 * Windows of the calendar are integers, so that a bucket can compare them: a day is its number since 1970-01-01, a month
 * its number since January of the year 0, both as the wall calendar of a time zone shows them.
 */
type CalendarPeriod = 'day' | 'month';

/** The window that an instant lies in. */
interface CurrentWindow {
  readonly window: number;
  /** From here to `endMs` the answer is known without looking. */
  readonly fromMs: number;
  readonly endMs: number;
}

/** One time zone's calendar for one period. */
class ZoneCalendar {
  readonly #date: Intl.DateTimeFormat;
  readonly #period: CalendarPeriod;
  readonly #ends = new Map<number, number>();
  #current: CurrentWindow = { window: 0, fromMs: 0, endMs: 0 };

  constructor(timeZone: string, period: CalendarPeriod) {
    this.#period = period;
    this.#date = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
    });
  }

  windowAt(nowMs: number): number {
    const { fromMs, endMs, window } = this.#current;
    if (nowMs >= fromMs && nowMs < endMs) return window;
    let found = this.#read(nowMs);
    // Where midnight came twice, the wall calendar shows the old day again; its window has ended all the same.
    while (this.endMs(found) <= nowMs) found += 1;
    this.#current = { window: found, fromMs: nowMs, endMs: this.endMs(found) };
    return found;
  }

  /** The first instant at which the calendar shows a later window. */
  endMs(window: number): number {
    if (window === this.#current.window && this.#current.endMs > 0) return this.#current.endMs;
    const known = this.#ends.get(window);
    if (known !== undefined) return known;
    const endMs = this.#findStart(window + 1);
    if (this.#ends.size >= MAX_REMEMBERED) this.#ends.clear();
    this.#ends.set(window, endMs);
    return endMs;
  }

  /**
   * The first instant at which the calendar shows this window or a later one. It is looked for by reading the wall
   * calendar, because nothing else knows when a zone changed its clocks: midnight may come twice (a clock set back at
   * 00:01) or not at all, and a whole day can be missing (Samoa, 2011-12-30).
   */
  #findStart(window: number): number {
    const utcMs = this.#period === 'day' ? window * DAY_MS : Date.UTC(Math.floor(window / 12), window % 12);
    let beforeMs = utcMs - FURTHEST_MS;
    let startMs = beforeMs;
    while (this.#read(startMs) < window) {
      beforeMs = startMs;
      startMs += QUARTER_MS;
    }
    while (startMs - beforeMs > 1) {
      const middleMs = Math.floor((beforeMs + startMs) / 2);
      if (this.#read(middleMs) < window) beforeMs = middleMs;
      else startMs = middleMs;
    }
    return startMs;
  }

  #read(nowMs: number): number {
    let year = 0;
    let month = 0;
    let day = 0;
    for (const { type, value } of this.#date.formatToParts(nowMs)) {
      if (type === 'year') year = Number(value);
      else if (type === 'month') month = Number(value);
      else if (type === 'day') day = Number(value);
    }
    return this.#period === 'day' ? Date.UTC(year, month - 1, day) / DAY_MS : year * 12 + month - 1;
  }
}

const calendars = { day: new Map<string, ZoneCalendar>(), month: new Map<string, ZoneCalendar>() };
/** The calendar asked last, which is the one asked next nearly always. */
let last: { timeZone: string; period: CalendarPeriod; calendar: ZoneCalendar } | undefined;

function calendarOf(timeZone: string, period: CalendarPeriod): ZoneCalendar {
  if (last && last.timeZone === timeZone && last.period === period) return last.calendar;
  const zones = calendars[period];
  const calendar = zones.get(timeZone) ?? new ZoneCalendar(timeZone, period);
  zones.set(timeZone, calendar);
  last = { timeZone, period, calendar };
  return calendar;
}

/**
 * The number of the day or month that the wall calendar of a time zone (IANA name) shows. It never goes back as time
 * goes on, even where a clock set back at midnight shows the old day once more.
 * @throws RangeError if there is no such time zone
 */
export function windowAt(timeZone: string, period: CalendarPeriod, nowMs: number): number {
  return calendarOf(timeZone, period).windowAt(nowMs);
}

/**
 * The first instant after a window: when the wall calendar first shows a later one.
 * @throws RangeError if there is no such time zone
 */
export function windowEndMs(timeZone: string, period: CalendarPeriod, window: number): number {
  return calendarOf(timeZone, period).endMs(window);
}
