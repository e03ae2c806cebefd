import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Days, dayPlus, daysBetween, daysOfMonth, isDay } from '../src/days.ts';

describe('days of a time zone', () => {
  it.each([
    ['UTC', '2026-11-03T23:59:59.999Z', '2026-11-03'],
    ['Europe/Berlin', '2026-11-03T23:00:00Z', '2026-11-04'],
    ['Asia/Kathmandu', '2026-11-03T18:14:59.999Z', '2026-11-03'],
    ['Asia/Kathmandu', '2026-11-03T18:15:00Z', '2026-11-04'],
    ['America/St_Johns', '2027-01-01T03:29:59Z', '2026-12-31'],
    ['Pacific/Kiritimati', '2026-12-31T10:00:00Z', '2027-01-01'],
  ])('%s: %s is on %s', (zone, instant, day) => {
    expect(new Days(zone).of(Date.parse(instant))).toBe(day);
  });

  it('are the same whether they are remembered or not', () => {
    const days = new Days('America/New_York');
    fc.assert(
      fc.property(fc.integer({ min: 1_600_000_000_000, max: 2_000_000_000_000 }), (ms) => {
        expect(days.of(ms)).toBe(new Date(ms).toLocaleDateString('sv-SE', { timeZone: 'America/New_York' }));
        expect(days.of(ms)).toBe(days.of(ms));
      }),
      { numRuns: 50 },
    );
  });
});

describe('days as users write them', () => {
  it.each([
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-11-31',
    '26-11-01',
    '2026-11-01T00',
    "2026-11-01'--",
    '',
  ])('%j is none', (text) => {
    expect(isDay(text)).toBe(false);
  });

  it('a month has its own last day', () => {
    expect(daysOfMonth('2028-02')).toEqual({ since: '2028-02-01', until: '2028-02-29' });
    expect(daysOfMonth('2026-12')).toEqual({ since: '2026-12-01', until: '2026-12-31' });
    expect(daysOfMonth('2026-13')).toBeUndefined();
  });

  it('follow one another over months and years', () => {
    expect(dayPlus('2026-12-31', 1)).toBe('2027-01-01');
    expect(daysBetween('2026-02-27', '2026-03-01')).toEqual(['2026-02-27', '2026-02-28', '2026-03-01']);
    expect(daysBetween('2026-03-01', '2026-02-27')).toEqual([]);
  });
});
