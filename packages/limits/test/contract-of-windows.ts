import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calendar, demand, MINUTE_MS, owner, rate, SECOND_MS, START_MS, slots } from './limit-shapes.ts';
import type { MakeLimiter } from './limiter-harness.ts';
import { numbersIn } from './limiter-sequence.ts';

const used = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens });

/** What may pass in every window of time. */
export function keepsItsWindows(name: string, make: MakeLimiter, runs: number): void {
  describe(`${name} in every window of time`, () => {
    it('lets no more through than burst + rate · time + debt, though the limit changes, and holds lapse', async () => {
      const amounts = fc.constantFrom([7, 7], [97, 131], [13, 89], [1, 40]);
      const events = fc.array(
        fc.record({
          tokens: fc.nat(60),
          used: fc.nat(70),
          ms: fc.oneof(fc.nat(900), fc.nat(90_000)),
          limit: fc.nat(5),
          ends: fc.nat(3),
        }),
        { minLength: 5, maxLength: 40, size: 'max' },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(amounts, { minLength: 1, maxLength: 3 }), events, async (sizes, steps) => {
          const limits = sizes.map(([amount = 0, burst = 0]) => ({
            ...rate('model_tokens', amount, SECOND_MS),
            burst,
          }));
          const most = {
            amount: Math.max(...limits.map((limit) => limit.amount)),
            burst: Math.max(...limits.map((limit) => limit.burst)),
          };
          const { limiter, setNow } = await make(START_MS);
          const passed: { atMs: number; tokens: number; debt: number }[] = [];
          let nowMs = START_MS;
          for (const [index, step] of steps.entries()) {
            nowMs += step.ms;
            setNow(nowMs);
            const limit = limits[step.limit % limits.length];
            if (!limit) continue;
            const owners = [owner('key:a', limit)];
            const decision = await limiter.admit({
              requestId: `${index}`,
              owners,
              demand: demand(1, step.tokens),
            });
            if (!decision.admitted || step.ends === 0) continue;
            if (step.ends === 1) await limiter.cancel(decision.reservation);
            else {
              await limiter.settle(decision.reservation, used(step.used));
              passed.push({ atMs: nowMs, tokens: step.used, debt: Math.max(0, step.used - step.tokens) });
            }
          }
          for (let first = 0; first < passed.length; first += 1) {
            let sum = 0;
            for (const { atMs, tokens, debt } of passed.slice(first)) {
              sum += tokens - debt;
              const elapsedMs = atMs - (passed[first]?.atMs ?? 0);
              expect(sum).toBeLessThanOrEqual(most.burst + (most.amount * elapsedMs) / SECOND_MS);
            }
          }
          await limiter.close();
        }),
        { numRuns: runs },
      );
    });

    it('begins no bucket afresh that was lowered, filled up and raised again', async () => {
      const { limiter, setNow } = await make(START_MS);
      const limitOf = (amount: number, burst: number) => ({
        ...rate('model_tokens', amount, SECOND_MS),
        burst,
      });
      const [high, low] = [limitOf(13, 89), limitOf(7, 7)];
      let asked = 0;
      const ask = (limit: typeof high, tokens: number, of = 'key:a') => {
        asked += 1;
        return limiter.admit({
          requestId: `${asked}`,
          owners: [owner(of, limit)],
          demand: demand(1, tokens),
        });
      };
      const first = await ask(high, 49);
      if (first.admitted) await limiter.settle(first.reservation, used(49));
      const second = await ask(low, 1);
      if (second.admitted) await limiter.cancel(second.reservation);
      // It is full under the lower limit, and would not be full under the higher one for 3.7 s. What nobody uses is looked for with each call.
      setNow(START_MS + 2_000);
      for (let call = 0; call < 200; call += 1) {
        const other = await ask(low, 0, `key:${call}`);
        if (other.admitted) await limiter.cancel(other.reservation);
      }
      // 49 have passed, of 89 and the 26 that came back: of a full bucket all 89 could.
      expect((await ask(high, 67)).admitted).toBe(false);
      expect((await ask(high, 7)).admitted).toBe(true);
      await limiter.close();
    });

    it('lets all of burst + rate · time through but one when there is always a request waiting', async () => {
      const limits = fc.tuple(
        fc.constantFrom(1, 3, 7, 13, 97, 1_000),
        fc.constantFrom(SECOND_MS, MINUTE_MS, 7_919),
        fc.integer({ min: 1, max: 40 }),
      );
      await fc.assert(
        fc.asyncProperty(
          limits,
          fc.integer({ min: 1, max: 400 }),
          async ([amount, periodMs, extra], elapsedMs) => {
            // A burst with less room than one unit and one tick's refill loses what comes in a tick after the unit is whole.
            const burst = Math.ceil(amount / periodMs) + extra;
            const owners = [owner('key:a', rate('requests', amount, periodMs, burst))];
            const { limiter, setNow } = await make(START_MS);
            let admitted = 0;
            for (let ms = 0; ms <= elapsedMs; ms += 1) {
              setNow(START_MS + ms);
              for (let asks = 0; ; asks += 1) {
                const decision = await limiter.admit({
                  requestId: `${ms} ${asks}`,
                  owners,
                  demand: demand(1),
                });
                if (!decision.admitted) break;
                admitted += 1;
              }
            }
            const most = Math.floor(burst + (amount * elapsedMs) / periodMs);
            expect(admitted).toBeLessThanOrEqual(most);
            expect(admitted).toBeGreaterThanOrEqual(most - 1);
            await limiter.close();
          },
        ),
        { numRuns: Math.ceil(runs / 20) },
      );
    });

    it('keeps the bound by the widest reading of a clock that jumps back and forth', async () => {
      const jumps = fc.array(
        fc.tuple(fc.integer({ min: -2_000, max: 2_000 }), fc.integer({ min: 1, max: 9 })),
        { minLength: 3, maxLength: 40, size: 'max' },
      );
      await fc.assert(
        fc.asyncProperty(jumps, async (steps) => {
          const owners = [
            owner('key:a', rate('requests', 7, SECOND_MS, 9), calendar('requests', 200), slots(9)),
          ];
          const { limiter, setNow, dump } = await make(START_MS);
          let lowest = START_MS;
          let highest = START_MS;
          let passed = 0;
          let nowMs = START_MS;
          for (const [step, [ms, asks]] of steps.entries()) {
            nowMs += ms;
            lowest = Math.min(lowest, nowMs);
            highest = Math.max(highest, nowMs);
            setNow(nowMs);
            for (let ask = 0; ask < asks; ask += 1) {
              const decision = await limiter.admit({
                requestId: `${step} ${ask}`,
                owners,
                demand: demand(1),
              });
              if (!decision.admitted) continue;
              passed += 1;
              await limiter.settle(decision.reservation, used(0));
            }
          }
          expect(passed).toBeLessThanOrEqual(9 + (7 * (highest - lowest)) / SECOND_MS);
          for (const number of numbersIn(await dump())) expect(Number.isSafeInteger(number)).toBe(true);
          await limiter.close();
        }),
        { numRuns: Math.ceil(runs / 4) },
      );
    });
  });
}
