import type { BucketView, Decision } from '@nexus/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestEndedError } from '../src/index.ts';
import { demand, MINUTE_MS, owner, rate, SECOND_MS, START_MS } from './limit-shapes.ts';
import { LEASE_MS, type MakeLimiter } from './limiter-harness.ts';
import {
  crowdedSteps,
  numbersIn,
  Sequence,
  someDemand,
  someOwners,
  someSteps,
  someTime,
  tightOwners,
} from './limiter-sequence.ts';

const used = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens });

/** These take seconds where nothing else runs. */
const LONG_MS = 120_000;

/** Random sequences of calls, each held against a model that remembers everything. */
export function agreesWithModel(name: string, make: MakeLimiter, runs: number): void {
  describe(`${name} against a model that remembers everything`, () => {
    it.each([
      ['limits of every kind', someOwners, someSteps()],
      ['a queue', tightOwners, crowdedSteps()],
    ])(
      'decides, waits and shows buckets as the model does, and a refusal writes nothing: %s',
      async (_, limits, history) => {
        await fc.assert(
          fc.asyncProperty(limits, history, async (owners, steps) => {
            const sequence = new Sequence(await make(START_MS), owners, START_MS);
            const { limiter, dump } = sequence.harness;
            for (const step of steps) {
              const before = step.does === 'admit' ? await dump() : undefined;
              const { decision, expected, owners: charged } = await sequence.take(step, 'last');
              if (decision) {
                expect(saidOf(decision)).toEqual(expected);
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
          { numRuns: Math.ceil(runs / 2) },
        );
      },
      LONG_MS,
    );

    it.each([
      ['limits of every kind', someOwners, someSteps(40)],
      ['a queue', tightOwners, crowdedSteps()],
    ])(
      'never has more than if a cancelled request had never been, in any order of cancelling: %s',
      async (_, limits, history) => {
        await fc.assert(
          fc.asyncProperty(limits, history, async (owners, steps) => {
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
      },
      LONG_MS,
    );

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
          fc.array(fc.tuple(someDemand, someTime), { maxLength: 20, size: 'max' }),
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
}

function saidOf(decision: Decision) {
  return decision.admitted ? { startsIn: decision.startsInMs } : { wait: decision.retryAfterMs };
}

function shown({ owner: name, available, untilFullMs }: BucketView) {
  return { owner: name, available, untilFullMs };
}
