import type { BucketView } from '@nexus/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestEndedError } from '../src/index.ts';
import {
  calendar,
  DAY_MS,
  demand,
  MINUTE_MS,
  owner,
  rate,
  SECOND_MS,
  START_MS,
  slots,
} from './limit-shapes.ts';
import { LEASE_MS, type MakeLimiter, SLICE_MS } from './limiter-harness.ts';
import { numbersIn, Sequence, someDemand, someOwners, someSteps, someTime } from './limiter-sequence.ts';

/** How many random sequences each property tries; a limiter behind a socket may take fewer. */
export interface ContractEffort {
  readonly runs: number;
}

const used = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens });

/** What every limiter must do, wherever it keeps its buckets. */
export function limiterContract(name: string, make: MakeLimiter, { runs }: ContractEffort): void {
  describe(`${name} against a model that remembers everything`, () => {
    it('decides, waits and shows buckets as the model does, and a refusal writes nothing', async () => {
      await fc.assert(
        fc.asyncProperty(someOwners, someSteps(), async (owners, steps) => {
          const sequence = new Sequence(await make(START_MS), owners, START_MS);
          const { limiter, dump } = sequence.harness;
          for (const step of steps) {
            const before = step.does === 'admit' ? await dump() : undefined;
            const { decision, expectedWait, owners: charged } = await sequence.take(step, 'last');
            if (decision) {
              expect(decision.admitted ? undefined : decision.retryAfterMs).toEqual(expectedWait);
              expect(decision.buckets.map(shown)).toEqual(sequence.model.views(charged, sequence.nowMs));
              if (!decision.admitted) expect(await dump()).toEqual(before);
            }
            const views = await limiter.peek(owners);
            expect(views.map(shown)).toEqual(sequence.model.views(owners, sequence.nowMs));
            expect(limiter.state().reservations).toBe(sequence.model.live(sequence.nowMs));
            for (const view of views)
              if (view.limit.kind === 'concurrency') expect(view.available).toBeGreaterThanOrEqual(0);
          }
          for (const number of numbersIn(await dump())) expect(Number.isSafeInteger(number)).toBe(true);
          await limiter.close();
        }),
        { numRuns: runs },
      );
    });

    it('never has more than if a cancelled request had never been, in any order of cancelling', async () => {
      await fc.assert(
        fc.asyncProperty(someOwners, someSteps(40), async (owners, steps) => {
          const sequence = new Sequence(await make(START_MS), owners, START_MS);
          const { limiter } = sequence.harness;
          for (const step of steps) {
            await sequence.take(step, 'any');
            const most = sequence.model.views(owners, sequence.nowMs);
            for (const [index, { available, limit }] of (await limiter.peek(owners)).entries()) {
              const model = most[index]?.available ?? Number.NaN;
              expect(available).toBeLessThanOrEqual(model);
              if (limit.kind !== 'rate' || limit.counts !== 'requests') expect(available).toBe(model);
            }
          }
          await limiter.close();
        }),
        { numRuns: Math.ceil(runs / 2) },
      );
    });

    it('changes nothing when settle, cancel, renew or an admission come again after an end', async () => {
      const again = fc.array(fc.constantFrom('settle', 'cancel', 'renew', 'admit'), {
        minLength: 1,
        maxLength: 4,
      });
      await fc.assert(
        fc.asyncProperty(
          someOwners,
          someDemand,
          fc.boolean(),
          again,
          someTime,
          async (owners, wants, settles, repeats, ms) => {
            const { limiter, dump, setNow } = await make(START_MS);
            const admission = { requestId: 'one', owners, demand: wants };
            const decision = await limiter.admit(admission);
            if (!decision.admitted) return limiter.close();
            expect((await limiter.admit(admission)).admitted).toBe(true);
            await limiter.renew([decision.reservation, decision.reservation]);
            setNow(START_MS + (ms % LEASE_MS));
            if (settles) await limiter.settle(decision.reservation, used(7, 9));
            else await limiter.cancel(decision.reservation);
            const after = await dump();
            const copy = { requestId: 'one', demand: wants };
            for (const what of repeats) {
              if (what === 'settle') await limiter.settle(copy, used(50, 50));
              if (what === 'cancel') await limiter.cancel(decision.reservation);
              if (what === 'renew') await limiter.renew([copy]);
              if (what === 'admit')
                await expect(limiter.admit(admission)).rejects.toBeInstanceOf(RequestEndedError);
              expect(await dump()).toEqual(after);
            }
            return limiter.close();
          },
        ),
        { numRuns: Math.ceil(runs / 4) },
      );
    });

    it('refuses one millisecond before the wait that it told and admits then', async () => {
      await fc.assert(
        fc.asyncProperty(
          someOwners,
          someDemand,
          fc.array(fc.tuple(someDemand, someTime), { maxLength: 20 }),
          async (owners, wants, past) => {
            const { limiter, setNow } = await make(START_MS);
            let nowMs = START_MS;
            for (const [index, [taken, ms]] of past.entries()) {
              nowMs += ms % 5_000;
              setNow(nowMs);
              const decision = await limiter.admit({ requestId: `past-${index}`, owners, demand: taken });
              if (decision.admitted) await limiter.settle(decision.reservation, used(taken.inputTokens, 3));
            }
            const decision = await limiter.admit({ requestId: 'asks', owners, demand: wants });
            if (!decision.admitted && decision.retryAfterMs !== 'never') {
              expect(decision.retryAfterMs).toBeGreaterThan(0);
              setNow(nowMs + decision.retryAfterMs - 1);
              expect((await limiter.admit({ requestId: 'early', owners, demand: wants })).admitted).toBe(
                false,
              );
              setNow(nowMs + decision.retryAfterMs);
              expect((await limiter.admit({ requestId: 'on time', owners, demand: wants })).admitted).toBe(
                true,
              );
            }
            await limiter.close();
          },
        ),
        { numRuns: Math.ceil(runs / 2) },
      );
    });

    it('goes on refusing the same or a larger cost until the wait as if every hold came back', async () => {
      const limits = fc.constantFrom(
        rate('model_tokens', 97, SECOND_MS, 131),
        rate('input_tokens', 101, MINUTE_MS, 211),
      );
      const amounts = fc.array(fc.tuple(fc.nat(80), fc.nat(300), fc.boolean()), {
        minLength: 3,
        maxLength: 25,
      });
      await fc.assert(
        fc.asyncProperty(limits, amounts, async (limit, asked) => {
          const owners = [owner('key:a', limit)];
          const sequence = new Sequence(await make(START_MS), owners, START_MS);
          let cost = Number.POSITIVE_INFINITY;
          let untilMs = 0;
          for (const [inputTokens, ms, ends] of asked) {
            const { decision } = await sequence.take(
              { does: 'admit', who: 2, demand: demand(1, inputTokens) },
              'last',
            );
            if (sequence.nowMs < untilMs && inputTokens >= cost) expect(decision?.admitted).toBe(false);
            const missing =
              BigInt(inputTokens * limit.periodMs) -
              sequence.model.free('key:a', limit, BigInt(sequence.nowMs), false);
            if (decision?.admitted === false && missing > 0n) {
              cost = inputTokens;
              untilMs = sequence.nowMs + Number(missing) / limit.amount;
            }
            if (ends)
              await sequence.take({ does: 'settle', which: inputTokens, used: used(inputTokens) }, 'last');
            await sequence.take({ does: 'wait', ms }, 'last');
          }
          await sequence.harness.limiter.close();
        }),
        { numRuns: Math.ceil(runs / 4) },
      );
    });
  });

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
        { minLength: 5, maxLength: 40 },
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
          async ([amount, periodMs, burst], elapsedMs) => {
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
        { minLength: 3, maxLength: 40 },
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

  describe(`${name} for one request`, () => {
    const sized = (...limits: Parameters<typeof owner>[1][]) => [owner('key:a', ...limits)];

    it('takes from all owners or from none', async () => {
      const { limiter, dump } = await make(START_MS);
      const owners = [owner('key:a', rate('requests', 5, MINUTE_MS)), owner('gateway', slots(1))];
      expect((await limiter.admit({ requestId: '1', owners, demand: demand(1) })).admitted).toBe(true);
      const before = await dump();
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1) });
      expect(denied).toMatchObject({
        admitted: false,
        retryAfterMs: 1_000,
        refusal: { owner: 'gateway', used: 1, requested: 1, size: 1 },
      });
      expect(await dump()).toEqual(before);
    });

    it('charges an owner named twice once', async () => {
      const { limiter } = await make(START_MS);
      const key = owner('key:a', rate('requests', 5, MINUTE_MS));
      await limiter.admit({ requestId: '1', owners: [key, key], demand: demand(1) });
      expect((await limiter.peek([key]))[0]?.available).toBe(4);
    });

    it('names the refusal that must wait longest', async () => {
      const { limiter } = await make(START_MS);
      const owners = sized(
        rate('requests', 1, SECOND_MS),
        calendar('model_tokens', 10),
        rate('model_tokens', 60, MINUTE_MS),
      );
      await limiter.admit({ requestId: '1', owners, demand: demand(1, 10) });
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1, 10) });
      expect(denied).toMatchObject({
        retryAfterMs: DAY_MS,
        refusal: { limit: { kind: 'calendar' }, used: 10, requested: 10, size: 10 },
      });
      const tooLarge = await limiter.admit({ requestId: '3', owners, demand: demand(1, 61) });
      expect(tooLarge).toMatchObject({ retryAfterMs: 'never', refusal: { requested: 61 } });
    });

    it('refuses everything that a limit of 0 counts, for ever, and nothing else', async () => {
      for (const none of [
        rate('model_tokens', 0, SECOND_MS),
        { ...rate('model_tokens', 0, SECOND_MS), burst: 50 },
        calendar('model_tokens', 0),
      ]) {
        const { limiter } = await make(START_MS);
        const denied = await limiter.admit({ requestId: '1', owners: sized(none), demand: demand(1, 1) });
        expect(denied).toMatchObject({
          admitted: false,
          retryAfterMs: 'never',
          refusal: { size: 0, used: 0 },
        });
        expect(
          (await limiter.admit({ requestId: '2', owners: sized(none), demand: demand(1) })).admitted,
        ).toBe(true);
      }
      const { limiter } = await make(START_MS);
      expect(
        await limiter.admit({ requestId: '1', owners: sized(slots(0)), demand: demand(1) }),
      ).toMatchObject({ retryAfterMs: 'never' });
    });

    it('takes nothing for an admission that comes after its own cancel', async () => {
      const { limiter } = await make(START_MS);
      const owners = sized(rate('requests', 5, MINUTE_MS));
      await limiter.cancel({ requestId: 'late', demand: demand(1) });
      await expect(limiter.admit({ requestId: 'late', owners, demand: demand(1) })).rejects.toBeInstanceOf(
        RequestEndedError,
      );
      expect((await limiter.peek(owners))[0]?.available).toBe(5);
    });

    it('remembers an ended request for a lease at least', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(rate('requests', 5, MINUTE_MS));
      const first = await limiter.admit({ requestId: '1', owners, demand: demand(1) });
      if (first.admitted) await limiter.settle(first.reservation, used(0));
      setNow(START_MS + LEASE_MS - 1);
      await limiter.cancel({ requestId: 'other', demand: demand(1) });
      await expect(limiter.admit({ requestId: '1', owners, demand: demand(1) })).rejects.toBeInstanceOf(
        RequestEndedError,
      );
    });

    it('lets a hold end by itself after its lease, and only charges what a late settlement used', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(slots(1), rate('model_tokens', 600, MINUTE_MS));
      const dead = await limiter.admit({ requestId: 'dead', owners, demand: demand(1, 100, 400) });
      setNow(START_MS + LEASE_MS - 1);
      expect((await limiter.admit({ requestId: '2', owners, demand: demand(1) })).admitted).toBe(false);
      setNow(START_MS + LEASE_MS + SLICE_MS);
      expect(limiter.state().reservations).toBe(0);
      const next = await limiter.admit({ requestId: '3', owners, demand: demand(1, 600) });
      expect(next.admitted).toBe(true);
      if (dead.admitted) await limiter.settle(dead.reservation, used(100, 20));
      expect((await limiter.peek(owners)).map(({ available }) => available)).toEqual([0, -120]);
    });

    it('charges a settlement that comes after everything else about its request was forgotten', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(rate('model_tokens', 600, MINUTE_MS));
      const slow = await limiter.admit({ requestId: 'slow', owners, demand: demand(1, 100) });
      for (let minute = 1; minute < 20; minute += 1) {
        setNow(START_MS + minute * MINUTE_MS);
        await limiter.admit({
          requestId: `${minute}`,
          owners: [owner('key:b', slots(99))],
          demand: demand(1),
        });
      }
      if (slow.admitted) await limiter.settle(slow.reservation, used(100, 50));
      if (slow.admitted) await limiter.settle(slow.reservation, used(100, 50));
      expect((await limiter.peek(owners))[0]?.available).toBe(450);
    });

    it('keeps a hold that is renewed in time, and does not revive one that ran out', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(slots(1));
      const live = await limiter.admit({ requestId: 'live', owners, demand: demand(1) });
      if (!live.admitted) return;
      for (let ms = 20_000; ms <= 300_000; ms += 20_000) {
        setNow(START_MS + ms);
        await limiter.renew([live.reservation]);
      }
      expect((await limiter.peek(owners))[0]?.available).toBe(0);
      setNow(START_MS + 300_000 + LEASE_MS + SLICE_MS);
      expect((await limiter.admit({ requestId: '2', owners, demand: demand(1) })).admitted).toBe(true);
      await limiter.renew([live.reservation]);
      expect((await limiter.peek(owners))[0]?.available).toBe(0);
      await limiter.settle(live.reservation, used(0));
      expect((await limiter.peek(owners))[0]?.available).toBe(0);
    });

    it('carries a hold into the next calendar window and charges it where it settles', async () => {
      const { limiter, setNow } = await make(START_MS + DAY_MS - 1_000);
      const owners = sized(calendar('model_tokens', 100));
      const over = await limiter.admit({ requestId: '1', owners, demand: demand(1, 60) });
      setNow(START_MS + DAY_MS);
      expect((await limiter.peek(owners))[0]?.available).toBe(40);
      if (over.admitted) await limiter.settle(over.reservation, used(70));
      expect((await limiter.peek(owners))[0]?.available).toBe(30);
    });

    it('never goes back to a calendar window when the clock does', async () => {
      const { limiter, setNow } = await make(START_MS + DAY_MS);
      const owners = sized(calendar('requests', 1));
      await limiter.admit({ requestId: '1', owners, demand: demand(1) });
      setNow(START_MS + DAY_MS - 1_000);
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1) });
      expect(denied).toMatchObject({ admitted: false, retryAfterMs: DAY_MS + 1_000 });
      setNow(START_MS + 2 * DAY_MS);
      expect((await limiter.admit({ requestId: '3', owners, demand: demand(1) })).admitted).toBe(true);
    });

    it('takes what was used above the reservation as debt that refills', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(rate('model_tokens', 100, SECOND_MS));
      const long = await limiter.admit({ requestId: '1', owners, demand: demand(1, 10, 10) });
      if (long.admitted) await limiter.settle(long.reservation, used(10, 290));
      expect((await limiter.peek(owners))[0]).toMatchObject({ available: -200, untilFullMs: 3_000 });
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1, 1) });
      expect(denied).toMatchObject({ retryAfterMs: 2_010, refusal: { used: 300, requested: 1, size: 100 } });
      setNow(START_MS + 2_010);
      expect((await limiter.admit({ requestId: '3', owners, demand: demand(1, 1) })).admitted).toBe(true);
    });

    it('keeps exact integers whatever an upstream says was used', async () => {
      for (const tokens of [Number.NaN, -5, 0.5, 1e300, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER]) {
        const { limiter, dump } = await make(START_MS);
        const owners = sized(rate('model_tokens', 150_000_000, MINUTE_MS), calendar('model_tokens', 1_000));
        for (let index = 0; index < 3; index += 1) {
          const decision = await limiter.admit({ requestId: `${index}`, owners, demand: demand(1) });
          if (decision.admitted) await limiter.settle(decision.reservation, used(tokens, tokens));
        }
        for (const number of numbersIn(await dump())) expect(Number.isSafeInteger(number)).toBe(true);
      }
    });

    it('rejects a demand that would fill buckets', async () => {
      const { limiter } = await make(START_MS);
      for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
        await expect(limiter.admit({ requestId: 'x', owners: [], demand: demand(1, bad) })).rejects.toThrow(
          RangeError,
        );
    });

    it('neither refills nor resets a bucket when its limit changes, and never holds more than the smaller burst', async () => {
      const { limiter } = await make(START_MS);
      const with_ = (amount: number) =>
        sized({ ...rate('requests', amount, MINUTE_MS), name: 'requests_per_minute' });
      for (let index = 0; index < 8; index += 1)
        await limiter.admit({ requestId: `${index}`, owners: with_(10), demand: demand(1) });
      expect(
        (await limiter.admit({ requestId: 'a', owners: with_(100), demand: demand(1) })).buckets[0]
          ?.available,
      ).toBe(1);
      expect(
        (await limiter.admit({ requestId: 'b', owners: with_(1), demand: demand(1) })).buckets[0]?.available,
      ).toBe(0);
      expect((await limiter.admit({ requestId: 'c', owners: with_(100), demand: demand(1) })).admitted).toBe(
        false,
      );
    });

    it('gives every bucket with its size after an admission', async () => {
      const { limiter } = await make(START_MS);
      const owners = sized(
        rate('requests', 5_000, MINUTE_MS),
        rate('model_tokens', 160_000, MINUTE_MS),
        slots(4),
      );
      const decision = await limiter.admit({ requestId: '1', owners, demand: demand(1, 24) });
      const view = ({ size, available, untilFullMs }: BucketView) => [size, available, untilFullMs];
      expect(decision.buckets.map(view)).toEqual([
        [5_000, 4_999, 12],
        [160_000, 159_976, 9],
        [4, 3, 0],
      ]);
    });

    it('rejects once it is closed', async () => {
      const { limiter } = await make(START_MS);
      const reservation = { requestId: 'x', demand: demand(1) };
      await limiter.close();
      await limiter.close();
      await expect(limiter.admit({ requestId: 'x', owners: [], demand: demand(1) })).rejects.toThrow(
        'closed',
      );
      await expect(limiter.settle(reservation, used(1))).rejects.toThrow('closed');
      await expect(limiter.cancel(reservation)).rejects.toThrow('closed');
      await expect(limiter.renew([])).rejects.toThrow('closed');
      await expect(limiter.peek([])).rejects.toThrow('closed');
    });
  });
}

function shown({ owner: name, available, untilFullMs }: BucketView) {
  return { owner: name, available, untilFullMs };
}
