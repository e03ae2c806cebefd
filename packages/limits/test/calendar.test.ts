import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowAt, windowEndMs } from '../src/calendar.ts';
import {
  advanceCalendar,
  calendarWaitMs,
  fullCalendar,
  giveBackCalendar,
  useCalendar,
} from '../src/calendar-bucket.ts';
import { calendar, DAY_MS, HOUR_MS } from './limit-shapes.ts';

const dayEnd = (timeZone: string, atMs: number) =>
  windowEndMs(timeZone, 'day', windowAt(timeZone, 'day', atMs));

describe('a calendar window', () => {
  it('ends when the wall calendar turns its page', () => {
    const rows: [timeZone: string, at: string, end: string][] = [
      ['UTC', '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z'],
      ['UTC', '2026-03-01T23:59:59.999Z', '2026-03-02T00:00:00Z'],
      ['Asia/Kolkata', '2026-03-01T12:00:00Z', '2026-03-01T18:30:00Z'],
      ['Asia/Kathmandu', '2026-03-01T12:00:00Z', '2026-03-01T18:15:00Z'],
      ['Pacific/Kiritimati', '2026-03-01T12:00:00Z', '2026-03-02T10:00:00Z'],
      // A day of 23 hours, and one of 25.
      ['Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
      ['Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
      // Clocks that move by half an hour.
      ['Australia/Lord_Howe', '2026-04-04T14:00:00Z', '2026-04-05T13:30:00Z'],
      // A day that begins at one o'clock.
      ['America/Sao_Paulo', '2018-11-03T12:00:00Z', '2018-11-04T03:00:00Z'],
      // A day that the calendar left out.
      ['Pacific/Apia', '2011-12-29T12:00:00Z', '2011-12-30T10:00:00Z'],
    ];
    for (const [timeZone, at, end] of rows)
      expect([timeZone, new Date(dayEnd(timeZone, Date.parse(at)))]).toEqual([timeZone, new Date(end)]);
  });

  it('does not begin again where a clock set back shows the old day once more', () => {
    // St John's set its clocks back at 00:01, to 23:01 of the day before.
    const midnight = Date.parse('2010-11-07T02:30:00Z');
    const zone = 'America/St_Johns';
    const sunday = windowAt(zone, 'day', midnight);
    expect(windowAt(zone, 'day', midnight - 1)).toBe(sunday - 1);
    for (let ms = 0; ms < 25 * HOUR_MS; ms += 60_000)
      expect(windowAt(zone, 'day', midnight + ms)).toBe(sunday);
    expect(windowEndMs(zone, 'day', sunday - 1)).toBe(midnight);
    expect(windowEndMs(zone, 'day', sunday)).toBe(midnight + 25 * HOUR_MS);
  });

  it('agrees with the date that Intl writes, in every zone, for days and months', () => {
    const instants = fc.integer({ min: Date.UTC(2015, 0, 1), max: Date.UTC(2035, 0, 1) });
    const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
    fc.assert(
      fc.property(
        zones,
        instants,
        fc.constantFrom('day' as const, 'month' as const),
        (timeZone, atMs, period) => {
          const window = windowAt(timeZone, period, atMs);
          const endMs = windowEndMs(timeZone, period, window);
          expect(endMs).toBeGreaterThan(atMs);
          expect(windowAt(timeZone, period, endMs - 1)).toBe(window);
          expect(windowAt(timeZone, period, endMs)).toBeGreaterThan(window);
          const shows = (ms: number) =>
            new Date(ms).toLocaleDateString('sv-SE', { timeZone }).slice(0, period === 'day' ? 10 : 7);
          expect(shows(endMs - 1)).toBe(shows(atMs));
          expect(shows(endMs) > shows(atMs)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('refuses a time zone that does not exist', () => {
    expect(() => windowAt('Mars/Olympus', 'day', 0)).toThrow(RangeError);
  });
});

describe('a calendar bucket', () => {
  const limit = calendar('requests', 10, 'month', 'Europe/Berlin');
  const march = Date.parse('2026-03-10T00:00:00Z');
  const april = Date.parse('2026-03-31T22:00:00Z');

  it('tells the wait until the next month begins', () => {
    expect(calendarWaitMs(undefined, limit, march)).toBe(april - march);
  });

  it('gives a charge back in its own window alone', () => {
    const state = fullCalendar(limit, march);
    const charge = useCalendar(state, 3);
    giveBackCalendar(state, charge);
    expect(state.used).toBe(0);
    const old = useCalendar(state, 3);
    advanceCalendar(state, april);
    useCalendar(state, 4);
    giveBackCalendar(state, old);
    expect(state.used).toBe(4);
    advanceCalendar(state, april - DAY_MS);
    expect(state.used).toBe(4);
  });
});
