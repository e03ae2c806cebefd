import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admitted, askFor, expectWindows, sized, starts } from './asked-requests.ts';
import { calendar, demand, MINUTE_MS, owner, rate, SECOND_MS, START_MS, slots } from './limit-shapes.ts';
import type { MakeLimiter } from './limiter-harness.ts';
import { crowdedSteps, numbersIn, Sequence, tightOwners } from './limiter-sequence.ts';

const used = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens });

/** Requests that wait for their turn instead of being refused. */
export function letsRequestsWait(name: string, make: MakeLimiter, runs: number): void {
  describe(`${name} when requests may wait`, () => {
    it('sells the refill to come, in the order of arrival, and tells who asks too late the wait behind them', async () => {
      const harness = await make(START_MS);
      const owners = sized(rate('requests', 20, SECOND_MS, 5));
      const decisions = await askFor(harness, owners, 12, 250);
      expect(starts(decisions)).toEqual([0, 0, 0, 0, 0, 50, 100, 150, 200, 250, 'in 300', 'in 300']);
      expect(decisions[9]?.buckets[0]).toMatchObject({ available: -5, untilFullMs: 500 });
      expect(decisions[11]).toMatchObject({ refusal: { owner: 'key:a', used: 10, requested: 1, size: 5 } });
      harness.setNow(START_MS + 120);
      expect(starts(await askFor(harness, owners, 2, 1_000, 'later'))).toEqual([180, 230]);
    });

    it('writes nothing for a request that would have to wait too long', async () => {
      const harness = await make(START_MS);
      const owners = [
        owner('key:a', rate('requests', 1, SECOND_MS, 1)),
        owner('gateway', rate('requests', 1, MINUTE_MS, 9)),
      ];
      await askFor(harness, owners, 2, 1_000);
      const before = await harness.dump();
      expect(starts(await askFor(harness, owners, 2, 1_999, 'b'))).toEqual(['in 2000', 'in 2000']);
      expect(await harness.dump()).toEqual(before);
    });

    it('begins exactly when it was told: one millisecond before, a bucket has no room', async () => {
      const harness = await make(START_MS);
      const owners = sized(rate('requests', 7, SECOND_MS, 1));
      expect(starts(await askFor(harness, owners, 3, 1_000))).toEqual([0, 143, 286]);
      for (const [atMs, waitMs] of [
        [142, 287],
        [143, 286],
        [428, 1],
        [429, 0],
      ] as const) {
        harness.setNow(START_MS + atMs);
        const [decision] = await askFor(harness, owners, 1, 0, `at ${atMs}`);
        expect(decision?.admitted ? 0 : decision?.retryAfterMs).toBe(waitMs);
      }
    });

    it('never lets a full slot, a used day or held tokens be waited for', async () => {
      for (const [limits, wait] of [
        [[rate('requests', 1, SECOND_MS), slots(1)], 'in 1000'],
        [[rate('requests', 1, SECOND_MS), calendar('requests', 1)], 'in 86400000'],
      ] as const) {
        const harness = await make(START_MS);
        const owners = sized(...limits);
        expect(starts(await askFor(harness, owners, 2, 100_000))).toEqual([0, wait]);
      }
      const { limiter } = await make(START_MS);
      const owners = sized(rate('model_tokens', 100, SECOND_MS));
      const ask = (requestId: string, tokens: number) =>
        limiter.admit({ requestId, owners, demand: demand(1, tokens), maxWaitMs: 100_000 });
      const first = admitted(await ask('1', 60));
      expect(starts([await ask('2', 40)])).toEqual([0]);
      // Only the end of another can make room: together they are more than the bucket ever holds.
      expect(starts([await ask('3', 1)])).toEqual(['in 10']);
      await limiter.settle(first.reservation, used(60));
      expect(starts([await ask('4', 60), await ask('5', 1)])).toEqual([600, 'in 610']);
    });

    it('leaves the rest of a wide bucket to others while a narrow one is waited for', async () => {
      const harness = await make(START_MS);
      const wide = owner('gateway', rate('requests', 10, SECOND_MS, 10));
      const narrow = [owner('key:a', rate('requests', 1, SECOND_MS, 1)), wide];
      expect(starts(await askFor(harness, narrow, 10, 9_000))).toEqual([
        0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000,
      ]);
      // Nine wait, one each second: they need a tenth of what comes in.
      expect(starts(await askFor(harness, [wide], 10, 0, 'b')).filter((start) => start === 0)).toHaveLength(
        9,
      );
      harness.setNow(START_MS + 1_500);
      expect(starts(await askFor(harness, [wide], 20, 0, 'c')).filter((start) => start === 0)).toHaveLength(
        10,
      );
    });

    it('keeps for those who wait what they will need, when all of them begin at once', async () => {
      const harness = await make(START_MS);
      const wide = owner('gateway', rate('requests', 1, SECOND_MS, 5));
      const keys = [1, 2, 3, 4, 5].map((key) => [
        owner(`key:${key}`, rate('requests', 1, 10 * SECOND_MS, 1)),
        wide,
      ]);
      for (const [index, key] of keys.entries()) await askFor(harness, key, 1, 0, `full ${index}`);
      harness.setNow(START_MS + 6_000);
      for (const [index, key] of keys.entries())
        expect(starts(await askFor(harness, key, 1, 10_000, `waits ${index}`))).toEqual([4_000]);
      harness.setNow(START_MS + 9_000);
      // All five begin in a second: only what comes in until then is free, and the burst again five seconds after.
      expect(starts(await askFor(harness, [wide], 1, 0, 'b'))).toEqual([0]);
      expect(starts(await askFor(harness, [wide], 3, 10_000, 'c'))).toEqual([2_000, 3_000, 4_000]);
    });

    it('lets any number wait for a large bucket, by few instants, and wastes nothing', async () => {
      const harness = await make(START_MS);
      const owners = sized(rate('requests', 1_000, SECOND_MS, 200));
      const begun: number[] = [];
      for (let nowMs = 0; nowMs < 300; nowMs += 10) {
        harness.setNow(START_MS + nowMs);
        for (const decision of await askFor(harness, owners, 40, 2_000, `at ${nowMs}`))
          begun.push(nowMs + admitted(decision).startsInMs);
      }
      expect(begun).toHaveLength(1_200);
      expect(numbersIn(await harness.dump()).length).toBeLessThan(3 * 256 + 40);
      const lastMs = Math.max(...begun);
      expect(lastMs).toBeGreaterThanOrEqual(1_000);
      // 1,000 would be the last, and a crowd puts it off by a sixteenth at most.
      expect(lastMs).toBeLessThanOrEqual(1_064);
      expectWindows(begun, 200, 1);
    });

    it('refuses to wait for a small bucket when too many do, and still tells the exact wait', async () => {
      const harness = await make(START_MS);
      const owners = sized(rate('requests', 100, SECOND_MS, 1));
      const told = starts(await askFor(harness, owners, 400, 60_000));
      const waiting = told.filter((start) => typeof start === 'number');
      expect(waiting).toEqual(waiting.map((_, index) => 10 * index));
      expect(waiting.length).toBeGreaterThan(100);
      expect(waiting.length).toBeLessThan(300);
      expect(told.at(-1)).toBe(`in ${10 * waiting.length}`);
    });

    it('takes a wait that is no number for none, and one without end for long', async () => {
      const harness = await make(START_MS);
      const owners = sized(rate('requests', 1, SECOND_MS, 1));
      for (const maxWaitMs of [Number.NaN, -1, 0.9, Number.NEGATIVE_INFINITY])
        expect(starts(await askFor(harness, owners, 2, maxWaitMs)).at(-1)).toBe('in 1000');
      expect(starts(await askFor(harness, owners, 1, Number.POSITIVE_INFINITY, 'b'))).toEqual([1_000]);
    });

    it('goes on under a changed limit, never with more than the larger one allows', async () => {
      const harness = await make(START_MS);
      const with_ = (amount: number, burst: number) =>
        sized({ ...rate('requests', amount, SECOND_MS, burst), name: 'requests_per_second' });
      const begun: number[] = [];
      for (const [amount, burst, nowMs] of [
        [10, 2, 0],
        [1, 1, 0],
        [10, 2, 500],
        [3, 1, 700],
        [10, 2, 2_000],
      ] as const) {
        harness.setNow(START_MS + nowMs);
        const decisions = await askFor(harness, with_(amount, burst), 4, 90_000, `${amount} at ${nowMs}`);
        begun.push(...decisions.map((decision) => nowMs + admitted(decision).startsInMs));
      }
      // Those who wait keep their instants; what they take too early is owed by those who come.
      expect(begun.slice(0, 5)).toEqual([0, 0, 100, 200, 3_000]);
      expectWindows(begun, 2, 10 / SECOND_MS);
    });

    it('lets no more begin than burst + rate · time, in every window of every bucket, whatever is cancelled', async () => {
      await fc.assert(
        fc.asyncProperty(tightOwners, crowdedSteps(60), async (owners, history) => {
          const sequence = new Sequence(await make(START_MS), owners, START_MS);
          for (const step of history) await sequence.take(step, 'any');
          for (const { owner: whose, buckets } of owners)
            for (const limit of buckets) {
              if (limit.kind !== 'rate' || limit.counts !== 'requests') continue;
              const begun = sequence.begun(whose);
              expectWindows(begun, limit.burst, limit.amount / limit.periodMs);
            }
          await sequence.harness.limiter.close();
        }),
        { numRuns: Math.ceil(runs / 2) },
      );
    });

    it('lets those begin first that came first, where all take the same', async () => {
      const gaps = fc.array(fc.tuple(fc.nat(150), fc.nat(10)), { minLength: 5, maxLength: 30, size: 'max' });
      const limits = fc.tuple(fc.constantFrom(3, 20, 97), fc.integer({ min: 1, max: 6 }));
      await fc.assert(
        fc.asyncProperty(limits, gaps, async ([amount, burst], asked) => {
          const harness = await make(START_MS);
          const wide = owner('gateway', rate('requests', 50, SECOND_MS, 8));
          const owners = [owner('key:a', rate('requests', amount, SECOND_MS, burst)), wide];
          let nowMs = START_MS;
          let lastMs = START_MS;
          for (const [index, [ms, who]] of asked.entries()) {
            nowMs += ms;
            harness.setNow(nowMs);
            const isOther = who > 6;
            const admission = { owners: isOther ? [wide] : owners, demand: demand(1), maxWaitMs: 3_000 };
            const decision = await harness.limiter.admit({ requestId: `${index}`, ...admission });
            if (!decision.admitted || isOther) continue;
            expect(nowMs + decision.startsInMs).toBeGreaterThanOrEqual(lastMs);
            lastMs = nowMs + decision.startsInMs;
          }
          await harness.limiter.close();
        }),
        { numRuns: Math.ceil(runs / 4) },
      );
    });
  });
}
