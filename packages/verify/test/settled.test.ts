import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SETTLED_AFTER_MS, type Spent, settledPassed } from '../src/judge/settled.ts';
import { worstWindow } from '../src/judge/windows.ts';

const bounds = fc.record({
  amount: fc.integer({ min: 1, max: 3_000 }),
  periodMs: fc.constantFrom(1_000, 60_000),
  burst: fc.integer({ min: 50, max: 2_000 }),
});

interface Ask {
  readonly afterMs: number;
  readonly reserved: number;
  readonly used: number;
  readonly backMs: number;
  readonly lastsMs: number;
  readonly lagMs: number;
}

/** Calls with what was reserved for them, what they used (less or more), and how late that was settled. */
const asks: fc.Arbitrary<Ask[]> = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 900 }),
    reserved: fc.integer({ min: 1, max: 300 }),
    used: fc.integer({ min: 0, max: 600 }),
    backMs: fc.integer({ min: 0, max: 300 }),
    lastsMs: fc.integer({ min: 0, max: 3_000 }),
    // By the time that its end was seen by the client, plus this much, a call is settled.
    lagMs: fc.integer({ min: 0, max: SETTLED_AFTER_MS }),
  }),
  { minLength: 1, maxLength: 80 },
);

/** A limiter that reserves before and settles after, in the simplest words: holds, and debts that refill. */
function reserving(
  { amount, periodMs, burst }: { amount: number; periodMs: number; burst: number },
  script: readonly Ask[],
) {
  let total = burst;
  let lastMs = 0;
  let atMs = 0;
  let held: { endMs: number; reserved: number; used: number }[] = [];
  const spent: Spent[] = [];
  const refill = (nowMs: number) => {
    total = Math.min(burst, total + ((nowMs - lastMs) * amount) / periodMs);
    lastMs = nowMs;
  };
  const settleUntil = (nowMs: number) => {
    const due = held.filter(({ endMs }) => endMs <= nowMs).sort((a, b) => a.endMs - b.endMs);
    held = held.filter(({ endMs }) => endMs > nowMs);
    for (const { endMs, used } of due) {
      refill(endMs);
      total -= used;
    }
    refill(nowMs);
  };
  for (const { afterMs, reserved, used, backMs, lastsMs, lagMs } of script) {
    atMs += afterMs;
    settleUntil(atMs);
    const outstanding = held.reduce((sum, hold) => sum + hold.reserved, 0);
    if (reserved > total - outstanding) continue;
    const answeredMs = atMs + backMs;
    const endedMs = answeredMs + lastsMs;
    held.push({ endMs: endedMs + lagMs, reserved, used });
    spent.push({ sentMs: atMs - 10, answeredMs, endedMs, units: used });
  }
  return spent;
}

describe('tokens that were certainly settled', () => {
  it('never accuse a limiter that reserves and settles, even where answers use more than was reserved', () => {
    fc.assert(
      fc.property(bounds, asks, (bound, script) => {
        expect(worstWindow(settledPassed(reserving(bound, script)), bound)?.over ?? 0).toBeLessThanOrEqual(0);
      }),
      { numRuns: 600 },
    );
  });

  it('show that more went by than is allowed, as soon as something is let through afterwards', () => {
    fc.assert(
      fc.property(bounds, fc.integer({ min: 1, max: 200 }), (bound, over) => {
        const burst = { sentMs: 0, answeredMs: 40, endedMs: 80, units: bound.burst + over };
        const refilled = Math.ceil((bound.amount * 2_500) / bound.periodMs) + 1;
        const more = { ...burst, units: refilled };
        const later = { sentMs: 80 + SETTLED_AFTER_MS, answeredMs: 2_000, endedMs: 2_100, units: 1 };
        expect(worstWindow(settledPassed([burst, more]), bound)).toBeUndefined();
        expect(worstWindow(settledPassed([burst, more, later]), bound)?.over).toBeGreaterThanOrEqual(over);
      }),
    );
  });

  it('are none of a call that may be under way still when the last one is let through', () => {
    const call = { sentMs: 0, answeredMs: 10, endedMs: 500, units: 9 };
    const soon = { sentMs: 499 + SETTLED_AFTER_MS, answeredMs: 1_600, endedMs: 1_700, units: 1 };
    expect(settledPassed([call, soon])).toEqual([]);
    // A call that takes no tokens passes a bucket in debt too: it says nothing.
    expect(settledPassed([call, { ...soon, sentMs: 1_600, units: 0 }])).toEqual([]);
    const later = { ...soon, sentMs: 500 + SETTLED_AFTER_MS };
    expect(settledPassed([call, later])).toEqual([{ sentMs: 0, answeredMs: 1_600, units: 9 }]);
  });
});
