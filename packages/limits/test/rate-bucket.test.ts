import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RateCharge } from '../src/rate-bucket.ts';
import {
  adoptRate,
  advanceRate,
  chargeRate,
  freeRate,
  fullRate,
  giveBackRate,
  rateWaitMs,
  useRate,
} from '../src/rate-bucket.ts';
import { DAY_MS, MINUTE_MS, rate, SECOND_MS } from './limit-shapes.ts';

/** The level of a bucket that saw these charges alone, by replaying them. */
function levelOf(
  limit: { amount: number; burst: number; periodMs: number },
  charges: { atMs: number }[],
  nowMs: number,
): number {
  const full = limit.burst * limit.periodMs;
  let level = full;
  let lastMs = 0;
  for (const { atMs } of charges) {
    level = Math.min(full, level + (atMs - lastMs) * limit.amount) - limit.periodMs;
    lastMs = atMs;
  }
  return Math.min(full, level + (nowMs - lastMs) * limit.amount);
}

describe('a rate bucket', () => {
  it('does this', () => {
    const limit = rate('requests', 2, 100, 3);
    const state = fullRate(limit, 0);
    const rows: [atMs: number, units: number, passes: boolean, levelAfter: number, waitMs: number][] = [
      // at, asked, passes, grains after, wait told
      [0, 1, true, 200, 0],
      [0, 2, true, 0, 0],
      [0, 1, false, 0, 50],
      [49, 1, false, 98, 1],
      [50, 1, true, 0, 0],
      [50, 3, false, 0, 150],
      [75, 1, false, 50, 25],
      [99, 1, false, 98, 1],
      [100, 1, true, 0, 0],
      [250, 3, true, 0, 0],
      [500, 1, true, 200, 0],
      [10_000, 0, true, 300, 0],
    ];
    for (const [atMs, units, passes, levelAfter, waitMs] of rows) {
      advanceRate(state, atMs);
      const free = freeRate(state, limit, atMs);
      const needed = units * limit.periodMs;
      expect([atMs, needed <= free, rateWaitMs(free, needed, limit)]).toEqual([atMs, passes, waitMs]);
      if (passes && units > 0) chargeRate(state, units);
      expect([atMs, state.total]).toEqual([atMs, levelAfter]);
    }
  });

  it('tells the waits of the refusals that OpenAI published', () => {
    const rows: [limit: number, used: number, requested: number, periodMs: number, waitMs: number][] = [
      [50_000, 47_949, 3_006, MINUTE_MS, 1_146],
      // The message said 84ms; the exact wait is 84.3, and a client that came after 84 would be refused.
      [200_000, 195_869, 4_412, MINUTE_MS, 85],
      [30_000, 22_999, 12_528, MINUTE_MS, 11_054],
      [3, 3, 1, MINUTE_MS, 20_000],
      [200, 200, 1, DAY_MS, 432_000],
      [50, 50, 1, DAY_MS, 1_728_000],
      [2_000, 2_000, 1, DAY_MS, 43_200],
    ];
    for (const [amount, used, requested, periodMs, waitMs] of rows) {
      const limit = rate('model_tokens', amount, periodMs);
      const state = fullRate(limit, 0);
      useRate(state, used);
      expect(rateWaitMs(freeRate(state, limit, 0), requested * periodMs, limit)).toBe(waitMs);
    }
  });

  it('is as if a cancelled charge had never been made, when charges are cancelled last first', () => {
    const waits = fc.array(fc.nat(260), { minLength: 2, maxLength: 12, size: 'max' });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), waits, waits, (burst, before, after) => {
        const limit = rate('requests', 2, 100, burst);
        const state = fullRate(limit, 0);
        const made: { atMs: number; charge: RateCharge }[] = [];
        let nowMs = 0;
        for (const ms of before) {
          nowMs += ms;
          advanceRate(state, nowMs);
          if (state.total >= 100) made.push({ atMs: nowMs, charge: chargeRate(state, 1) });
        }
        for (const ms of after) {
          nowMs += ms;
          advanceRate(state, nowMs);
          const last = made.pop();
          if (last) giveBackRate(state, last.charge);
          expect(state.total).toBe(levelOf(limit, made, nowMs));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('is never fuller than if the cancelled charges had never been made, in any order and at any time', () => {
    const steps = fc.array(fc.tuple(fc.nat(120), fc.boolean(), fc.nat(20)), {
      minLength: 10,
      maxLength: 40,
      size: 'max',
    });
    let exact = 0;
    let cancelled = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), steps, (burst, sequence) => {
        const limit = rate('requests', 2, 100, burst);
        const state = fullRate(limit, 0);
        const made: { atMs: number; charge: RateCharge }[] = [];
        let nowMs = 0;
        for (const [ms, cancels, which] of sequence) {
          nowMs += ms;
          advanceRate(state, nowMs);
          if (!cancels && state.total >= 100) made.push({ atMs: nowMs, charge: chargeRate(state, 1) });
          else if (made.length > 0) {
            for (const { charge } of made.splice(which % made.length, 1)) giveBackRate(state, charge);
            cancelled += 1;
            if (state.total === levelOf(limit, made, nowMs)) exact += 1;
          }
          expect(state.total).toBeLessThanOrEqual(levelOf(limit, made, nowMs));
        }
      }),
      { numRuns: 3_000, seed: 20_260_301 },
    );
    // What is left to the refill is the exception.
    expect(exact / cancelled).toBeGreaterThan(0.8);
  });

  it('gives concurrent charges back in whichever order they are cancelled', () => {
    const state = fullRate(rate('requests', 1, MINUTE_MS, 10), 0);
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [1, 2, 0],
      [0, 2, 1],
      [2, 0, 1],
    ]) {
      advanceRate(state, 0);
      const charges = [chargeRate(state, 1), chargeRate(state, 1), chargeRate(state, 1)];
      for (const index of order) {
        const charge = charges[index];
        if (charge) giveBackRate(state, charge);
      }
      expect(state.total).toBe(10 * MINUTE_MS);
    }
  });

  it('gives nothing back of a charge made under a limit that has changed since', () => {
    const state = fullRate(rate('requests', 10, SECOND_MS), 0);
    const charge = chargeRate(state, 1);
    adoptRate(state, rate('requests', 5, SECOND_MS), 0);
    chargeRate(state, 2);
    giveBackRate(state, charge);
    expect(state.total).toBe(3 * SECOND_MS);
  });

  it('does not refill for the same time twice when its limit changes', () => {
    const limit = rate('requests', 1, SECOND_MS, 10);
    const state = fullRate(limit, 0);
    chargeRate(state, 10);
    adoptRate(state, rate('requests', 2, SECOND_MS, 10), 1_000);
    expect(state.total).toBe(2 * SECOND_MS);
    adoptRate(state, limit, 1_000);
    expect(state.total).toBe(2 * SECOND_MS);
  });

  it('neither refills nor turns back when the clock does', () => {
    const limit = rate('requests', 1, SECOND_MS, 10);
    const state = fullRate(limit, 5_000);
    chargeRate(state, 10);
    advanceRate(state, 1_000);
    expect(state.total).toBe(0);
    advanceRate(state, 6_000);
    expect(state.total).toBe(SECOND_MS);
  });

  it('stays exact at the edges of what can be limited', () => {
    for (const [amount, periodMs, burst] of [
      [150_000_000, MINUTE_MS, 150_000_000],
      [1, 30 * DAY_MS, 1],
      [7, SECOND_MS, 7],
      [104_729, 7_919, 1_299_709],
    ] as const) {
      const limit = rate('model_tokens', amount, periodMs, burst);
      const state = fullRate(limit, 1);
      useRate(state, burst);
      const waitMs = rateWaitMs(freeRate(state, limit, 1), burst * periodMs, limit);
      expect(BigInt(waitMs)).toBe((BigInt(burst) * BigInt(periodMs) + BigInt(amount) - 1n) / BigInt(amount));
      expect(freeRate(state, limit, waitMs)).toBeLessThan(burst * periodMs);
      expect(freeRate(state, limit, waitMs + 1)).toBe(burst * periodMs);
      expect(freeRate(state, limit, Number.MAX_SAFE_INTEGER)).toBe(burst * periodMs);
    }
  });
});
