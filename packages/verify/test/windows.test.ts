import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedIn, type Passed, type RateBound, worstWindow } from '../src/judge/windows.ts';

const bounds = fc.record({
  amount: fc.integer({ min: 1, max: 5_000 }),
  periodMs: fc.constantFrom(1_000, 60_000, 3_600_000),
  burst: fc.integer({ min: 1, max: 60 }),
});

/** Asks for units at instants of the limiter's clock, and how long each call was on its way there and back. */
const asks = fc.array(
  fc.record({
    afterMs: fc.double({ min: 0, max: 400, noNaN: true }),
    thereMs: fc.double({ min: 0, max: 2_000, noNaN: true }),
    backMs: fc.double({ min: 0, max: 2_000, noNaN: true }),
    units: fc.integer({ min: 1, max: 20 }),
  }),
  { minLength: 1, maxLength: 120 },
);

/** What an exact bucket lets through of these asks, as a caller sees it whose clock runs at `pace` of the limiter's. */
function honest(bound: RateBound, script: readonly Ask[], pace: number): Passed[] {
  let level = bound.burst;
  let lastMs = 0;
  let atMs = 0;
  const passed: Passed[] = [];
  for (const { afterMs, thereMs, backMs, units } of script) {
    atMs += afterMs;
    const nowMs = Math.floor(atMs);
    level = Math.min(bound.burst, level + ((nowMs - lastMs) * bound.amount) / bound.periodMs);
    lastMs = nowMs;
    if (units > level) continue;
    level -= units;
    passed.push({ sentMs: (atMs - thereMs) * pace, answeredMs: (atMs + backMs) * pace, units });
  }
  return passed;
}

interface Ask {
  readonly afterMs: number;
  readonly thereMs: number;
  readonly backMs: number;
  readonly units: number;
}

/** Every window that begins with a sending and ends with an answer, one by one. */
function worstOver(passed: readonly Passed[], bound: RateBound): number {
  let worst = Number.NEGATIVE_INFINITY;
  for (const { sentMs: fromMs } of passed) {
    for (const { answeredMs: toMs } of passed) {
      if (toMs < fromMs) continue;
      let units = 0;
      for (const each of passed) if (each.sentMs >= fromMs && each.answeredMs <= toMs) units += each.units;
      worst = Math.max(worst, units - allowedIn(bound, toMs - fromMs));
    }
  }
  return worst;
}

describe('the worst window', () => {
  it('never accuses what an exact bucket let through, however long the calls were on their way', () => {
    fc.assert(
      fc.property(
        bounds,
        asks,
        fc.double({ min: 0.9995, max: 1.0005, noNaN: true }),
        (bound, script, pace) => {
          expect(worstWindow(honest(bound, script, pace), bound)?.over ?? 0).toBeLessThanOrEqual(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is as bad as the worst of all windows, looked at one by one', () => {
    const wild = fc.array(
      fc.record({
        sentMs: fc.integer({ min: 0, max: 3_000 }),
        waitMs: fc.integer({ min: 0, max: 500 }),
        units: fc.integer({ min: 0, max: 9 }),
      }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(bounds, wild, (bound, calls) => {
        const passed = calls.map(({ sentMs, waitMs, units }) => ({
          sentMs,
          answeredMs: sentMs + waitMs,
          units,
        }));
        expect(worstWindow(passed, bound)?.over).toBe(worstOver(passed, bound));
      }),
      { numRuns: 300 },
    );
  });

  it('finds an excess wherever it is planted, and says where and how much', () => {
    const gapsMs = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 80, maxLength: 80 });
    fc.assert(
      fc.property(
        bounds,
        asks,
        fc.double({ min: 0, max: 50_000, noNaN: true }),
        fc.integer({ min: 1, max: 10 }),
        gapsMs,
        (bound, script, atMs, over, gaps) => {
          const planted: Passed[] = [];
          let nowMs = atMs;
          // More calls than a whole burst and its refill, in less than a tenth of a second.
          const count = allowedIn(bound, 80) + over;
          for (let i = 0; i < count; i += 1) {
            planted.push({ sentMs: nowMs, answeredMs: nowMs, units: 1 });
            nowMs = Math.min(atMs + 80, nowMs + (gaps[i % gaps.length] ?? 0));
          }
          const found = worstWindow([...honest(bound, script, 1), ...planted], bound);
          expect(found?.over).toBeGreaterThanOrEqual(over);
          expect(found?.units).toBe((found?.allowed ?? 0) + (found?.over ?? 0));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('counts a call only where it lies in the window for certain', () => {
    const bound = { amount: 10, periodMs: 1_000, burst: 2 };
    const at = (sentMs: number, answeredMs: number) => ({ sentMs, answeredMs, units: 1 });
    // Three at once are one over.
    const sure = [at(100, 101), at(100, 101), at(100, 101)];
    expect(worstWindow(sure, bound)).toEqual({ fromMs: 100, toMs: 101, units: 3, allowed: 2, over: 1 });
    // The third may have been let through long before, or long after.
    expect(worstWindow([at(100, 101), at(100, 101), at(-900, 101)], bound)?.over).toBe(0);
    expect(worstWindow([at(100, 101), at(100, 101), at(100, 1_101)], bound)?.over).toBe(0);
  });

  it('of nothing is none', () => {
    expect(worstWindow([], { amount: 1, periodMs: 1_000, burst: 1 })).toBeUndefined();
  });

  it('is found among 100,000 calls', () => {
    const bound = { amount: 1_000, periodMs: 1_000, burst: 100 };
    const passed = Array.from({ length: 100_000 }, (_, i) => ({
      sentMs: i + 5,
      answeredMs: i + 5 + (i % 7),
      units: 1,
    }));
    const extra = Array.from({ length: 200 }, () => ({ sentMs: 70_000, answeredMs: 70_001, units: 1 }));
    const sinceMs = performance.now();
    const found = worstWindow([...passed, ...extra], bound);
    expect(performance.now() - sinceMs).toBeLessThan(10_000);
    expect(found?.over).toBeGreaterThanOrEqual(98);
    expect(found?.fromMs).toBeLessThanOrEqual(70_000);
    expect(found?.toMs).toBeGreaterThanOrEqual(70_001);
  });
});
