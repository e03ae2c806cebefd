import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  earliestMs,
  levelPlanned,
  memorableMs,
  type Outlook,
  type PlannedStart,
  planStart,
  refilled,
  unitsPlanned,
  unplanStart,
} from '../src/planned-starts.ts';

/** Millisecond by millisecond: whether nobody finds too little from an instant on, with one more at that instant. */
function suitsAll(outlook: Outlook, needed: number, atMs: number): boolean {
  const { full, amount, grain, starts, nowMs } = outlook;
  let { level } = outlook;
  const lastMs = Math.max(atMs, starts.at(-1)?.atMs ?? 0);
  for (let ms = nowMs; ms <= lastMs; ms += 1) {
    if (ms > nowMs) level = Math.min(full, level + amount);
    const units = starts.find((start) => start.atMs === ms)?.units ?? 0;
    level -= units * grain + (ms === atMs ? needed : 0);
    if (ms >= atMs && level < 0) return false;
  }
  return true;
}

const someOutlook = fc
  .record({
    burst: fc.integer({ min: 1, max: 6 }),
    amount: fc.integer({ min: 1, max: 9 }),
    missing: fc.nat(60),
    asked: fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 6,
    }),
  })
  .map(({ burst, amount, missing, asked }) => {
    const outlook = { nowMs: 100, full: burst * 10, level: burst * 10 - missing, amount, grain: 10 };
    const starts: PlannedStart[] = [];
    for (const [units, laterMs] of asked) {
      if (units > burst) continue;
      const atMs = earliestMs({ ...outlook, starts }, units * 10, 100 + laterMs);
      if (atMs > 100) planStart(starts, atMs, units);
    }
    return { ...outlook, starts };
  });

describe('the plan of who begins when', () => {
  it('finds the first instant that suits the newcomer and all who begin later', () => {
    fc.assert(
      fc.property(someOutlook, fc.integer({ min: 1, max: 6 }), fc.nat(50), (outlook, units, laterMs) => {
        const needed = units * outlook.grain;
        const found = earliestMs(outlook, needed, 100 + laterMs);
        if (needed > outlook.full) {
          expect(found).toBe(Number.POSITIVE_INFINITY);
          return;
        }
        for (let ms = 100 + laterMs; ms < found; ms += 1) expect(suitsAll(outlook, needed, ms)).toBe(false);
        expect(suitsAll(outlook, needed, found)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  it('knows the level that will be left after each start', () => {
    const starts = [
      { atMs: 10, units: 1 },
      { atMs: 20, units: 2 },
    ];
    const outlook: Outlook = { nowMs: 0, level: 0, full: 300, amount: 20, grain: 100, starts };
    expect([0, 9, 10, 19, 20, 25, 99].map((ms) => levelPlanned(outlook, ms))).toEqual([
      0, 180, 100, 280, 100, 200, 300,
    ]);
  });

  it('keeps the starts in order, those of one instant together, and forgets them by their instant', () => {
    const starts: PlannedStart[] = [];
    for (const [atMs, units] of [
      [30, 1],
      [10, 1],
      [20, 2],
      [10, 3],
    ] as const)
      planStart(starts, atMs, units);
    expect(starts).toEqual([
      { atMs: 10, units: 4 },
      { atMs: 20, units: 2 },
      { atMs: 30, units: 1 },
    ]);
    expect(unitsPlanned(starts, 10)).toBe(3);
    unplanStart(starts, 10, 1);
    unplanStart(starts, 30, 1);
    unplanStart(starts, 31, 1);
    expect(starts).toEqual([
      { atMs: 10, units: 3 },
      { atMs: 20, units: 2 },
    ]);
  });

  it('remembers any instant of a few, those of a grid in a crowd, and only known ones when there are too many', () => {
    const with_ = (count: number): Outlook => ({
      ...{ nowMs: 1_000, level: 0, full: 100_000, amount: 100, grain: 1_000 },
      starts: Array.from({ length: count }, (_, index) => ({ atMs: 1_001 + index, units: 1 })),
    });
    expect(memorableMs(with_(0), 1_000, 1_777)).toBe(1_777);
    expect(memorableMs(with_(63), 1_000, 1_777)).toBe(1_777);
    expect(memorableMs(with_(64), 1_000, 1_777)).toBe(1_792);
    expect(memorableMs(with_(64), 1_000, 1_010)).toBe(1_010);
    expect(memorableMs(with_(64), 1_000, 1_066)).toBe(1_068);
    // A bucket that is full with it has no room for what comes in until the next instant of a grid.
    expect(memorableMs(with_(64), 100_000, 1_777)).toBe(1_777);
    expect(memorableMs(with_(256), 1_000, 1_777)).toBeUndefined();
    expect(memorableMs(with_(256), 1_000, 1_160)).toBe(1_160);
  });

  it('never fills a bucket above its rim, however long it takes', () => {
    expect(refilled(5, 10, 2, 2)).toBe(9);
    expect(refilled(5, 10, 2, 3)).toBe(10);
    expect(refilled(12, 10, 2, 0)).toBe(10);
    expect(refilled(5, 10, 2, -3)).toBe(5);
    expect(refilled(-(2 ** 52), 2 ** 52, 2 ** 40, Number.MAX_SAFE_INTEGER)).toBe(2 ** 52);
  });
});
