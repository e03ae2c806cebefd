import type { Decision, Limiter } from '@nexus/domain';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { askingOf, CallMessage, leaseTimes, timesToLive } from '../../src/redis/asking.ts';
import { OwnerCompiler } from '../../src/redis/compiled-owner.ts';
import { limiterScripts } from '../../src/redis/scripts.ts';
import { calendar, DAY_MS, demand, owner, rate, SECOND_MS, START_MS, slots } from '../limit-shapes.ts';
import type { LimiterHarness } from '../limiter-harness.ts';
import { Sequence, someOwners, someSteps } from '../limiter-sequence.ts';
import { redisHarness, sharedConnections } from './redis-harness.ts';
import { readDoubles } from './stored-numbers.ts';

/**
 * admit.lua has two ways to decide: a short one for a request that comes alone and finds nothing special (alone.lua), and one for every
 * request. Nobody must be able to tell them apart: not by an answer, not by what Redis keeps, nor by how long.
 */
const redis = noRedis ? undefined : await startRedis();
const shared = redis ? await sharedConnections(redis.url) : undefined;
const LONG_MS = 120_000;

afterAll(async () => {
  shared?.close();
  redis?.client.disconnect();
  await redis?.process.stop();
});

function parts() {
  if (!redis || !shared) throw new Error('There is no Redis');
  return { client: redis.client, shared, make: redisHarness(shared, redis.client) };
}

/** The same limiter, but each admission shares its call with a look at nothing, and so can't go the short way. */
function inCompany(limiter: Limiter): Limiter {
  return {
    async admit(admission) {
      // The first goes at once; what comes while it is under way goes together.
      const before = limiter.peek([]);
      const beside = limiter.peek([]);
      const decision = await limiter.admit(admission);
      await Promise.all([before, beside]);
      return decision;
    },
    settle: (...given) => limiter.settle(...given),
    cancel: (...given) => limiter.cancel(...given),
    renew: (...given) => limiter.renew(...given),
    peek: (...given) => limiter.peek(...given),
    restore: (...given) => limiter.restore(...given),
    state: () => limiter.state(),
    close: () => limiter.close(),
  };
}

/** Two limiters, each with keys of its own, on the same Redis. */
async function twins() {
  const { client, make } = parts();
  const alone = await make(START_MS);
  const harness = await make(START_MS);
  const accompanied = { ...harness, limiter: inCompany(harness.limiter) };
  let apartMs = 0;
  let lastMs = performance.now();
  return {
    alone,
    accompanied,
    /** Both hold the same, byte for byte, and for as long; what was written at most so much later is kept as much longer. */
    async expectAlike() {
      apartMs = Math.max(apartMs, performance.now() - lastMs + 1_000);
      const [one, other] = await Promise.all([recordsOf(alone), recordsOf(accompanied)]);
      const shown = ({ key, bytes }: { key: string; bytes: string }) => [nameOf(key), bytes];
      expect(one.map(shown)).toEqual(other.map(shown));
      // All at one instant.
      const lives = await client.multi([...one, ...other].map(({ key }) => ['pttl', key])).exec();
      for (const index of one.keys()) {
        const [, first] = lives?.[index] ?? [];
        const [, second] = lives?.[one.length + index] ?? [];
        expect(Math.abs(Number(first) - Number(second))).toBeLessThan(apartMs);
      }
      lastMs = performance.now();
    },
    async close() {
      await Promise.all([alone.limiter.close(), harness.limiter.close()]);
    },
  };
}

/** A limiter's records, in the order of their names. */
async function recordsOf({ dump }: LimiterHarness): Promise<{ key: string; bytes: string }[]> {
  const records = await dump();
  if (!Array.isArray(records)) throw new TypeError('A dump is a list of records');
  return records.map((record: unknown) => {
    const { key, bytes } = Object(record);
    return { key: String(key), bytes: String(bytes) };
  });
}

/** A record's key without the limiter's prefix. */
function nameOf(key: string): string {
  return key.slice(key.indexOf('o:'));
}

/** All of a decision but the object that stands for it. */
function told(decision: Decision | undefined) {
  return decision?.admitted ? { ...decision, reservation: 'one' } : decision;
}

describe.skipIf(noRedis)('a request that comes alone', () => {
  it(
    'is decided, stored and kept as one that comes with others',
    async () => {
      await fc.assert(
        fc.asyncProperty(someOwners, someSteps(40), async (owners, steps) => {
          const { alone, accompanied, expectAlike, close } = await twins();
          const one = new Sequence(alone, owners, START_MS);
          const other = new Sequence(accompanied, owners, START_MS);
          for (const step of steps) {
            const { decision } = await one.take(step, 'any');
            expect(told(decision)).toEqual(told((await other.take(step, 'any')).decision));
            await expectAlike();
          }
          await close();
        }),
        { numRuns: 50 },
      );
    },
    LONG_MS,
  );

  it(
    'is so when limits change, come and go, when the clock is set back, and when it asks again',
    async () => {
      const second = rate('requests', 7, SECOND_MS);
      const tokens = rate('model_tokens', 97, SECOND_MS, 131);
      const day = calendar('requests', 9);
      const month = calendar('model_tokens', 307, 'month');
      const all = [second, tokens, day, month, slots(4)];
      const shapes = [
        all,
        all,
        all,
        [rate('requests', 7, SECOND_MS, 9), tokens, day, month, slots(4)],
        [second, rate('model_tokens', 80, SECOND_MS, 131), day, month, slots(3)],
        [tokens, second, day, month, slots(4)],
        [second, tokens, day],
        [second, day, slots(4)],
        [day, slots(4)],
      ].map((limits) => [owner('key:a', ...limits), owner('gateway', second, tokens)]);
      const history = fc.array(
        fc.record({
          owners: fc.constantFrom(...shapes),
          wants: fc
            .tuple(fc.constantFrom(1, 1, 1, 0, 2), fc.constantFrom(0, 5, 5, 40))
            .map(([requests, tokensAsked]) => demand(requests, tokensAsked)),
          ms: fc.constantFrom(0, 0, 3, 400, 16_000, 70_000, DAY_MS, -3, -900),
          ends: fc.boolean(),
          asksAgain: fc.boolean(),
        }),
        { minLength: 6, maxLength: 40, size: 'max' },
      );
      await fc.assert(
        fc.asyncProperty(history, async (steps) => {
          const { alone, accompanied, expectAlike, close } = await twins();
          let nowMs = START_MS;
          for (const [index, { owners, wants, ms, ends, asksAgain }] of steps.entries()) {
            nowMs += ms;
            const decisions: unknown[] = [];
            for (const { limiter, setNow } of [alone, accompanied]) {
              setNow(nowMs);
              const admission = { requestId: `${index}`, owners, demand: wants };
              const decision = await limiter.admit(admission);
              const again = asksAgain ? await limiter.admit(admission) : undefined;
              if (decision.admitted && ends)
                await limiter.settle(decision.reservation, { inputTokens: 3, outputTokens: 4 });
              decisions.push([told(decision), told(again)]);
            }
            expect(decisions[0]).toEqual(decisions[1]);
            await expectAlike();
          }
          await close();
        }),
        { numRuns: 40 },
      );
    },
    LONG_MS,
  );

  it('is told so where the window that it was sent with is over, or has not begun', async () => {
    const { client, shared: connections } = parts();
    const { admit } = limiterScripts('argument');
    const times = leaseTimes({ connections });
    const owners = new OwnerCompiler('{bounds}:').compileAll([owner('key:a', calendar('requests', 5))]);
    let asked = 0;
    /** The first numbers of the answer: Redis' time and the status, then the wait, the owner's time, what is free and open, the window. */
    const ask = async (nowMs: number, sentMs: number) => {
      const message = new CallMessage(times, 1);
      message.addAdmission(`{bounds}:r:${asked++}`, askingOf(owners, demand(1)), 0, sentMs);
      const reply = await client.callBuffer('eval', [
        admit.lua,
        message.keys.length,
        ...message.keys,
        message.end(),
        ...timesToLive(times),
        nowMs,
      ]);
      if (!Buffer.isBuffer(reply)) throw new TypeError('This is no answer');
      return readDoubles(reply);
    };
    const free = async (nowMs: number, sentMs: number) => (await ask(nowMs, sentMs))[4];
    expect(await free(START_MS, START_MS)).toBe(5);
    expect(await free(START_MS, START_MS)).toBe(4);
    expect(await free(START_MS + DAY_MS, START_MS)).toBe(5);
    expect(await free(START_MS + DAY_MS, START_MS + DAY_MS)).toBe(4);
    expect(await free(START_MS + DAY_MS, START_MS + 2 * DAY_MS)).toBe(3);
    expect((await ask(START_MS + DAY_MS, START_MS + 9 * DAY_MS)).slice(1)).toEqual([-2, START_MS + DAY_MS]);
  });
});
