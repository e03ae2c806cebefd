import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { calendar, DAY_MS, demand, owner, rate, SECOND_MS, START_MS } from '../limit-shapes.ts';
import { redisHarness, sharedConnections } from './redis-harness.ts';

const redis = noRedis ? undefined : await startRedis();
const shared = redis ? await sharedConnections(redis.url) : undefined;
const make = redis && shared ? redisHarness(shared, redis.client) : undefined;

afterAll(async () => {
  shared?.close();
  redis?.client.disconnect();
  await redis?.process.stop();
});

/** Time goes on, or Redis' clock is set: by two seconds at most, either way. */
const aStep = fc.record({
  ms: fc.oneof(
    { weight: 6, arbitrary: fc.nat(150) },
    { weight: 1, arbitrary: fc.constantFrom(-2_000, 2_000) },
    { weight: 2, arbitrary: fc.integer({ min: -2_000, max: 2_000 }) },
  ),
  asks: fc.integer({ min: 1, max: 4 }),
});

describe.skipIf(noRedis)("when Redis' clock jumps by two seconds either way", () => {
  it('every window lets through no more than burst + rate · what the clock went over in it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(aStep, { minLength: 20, maxLength: 60, size: 'max' }),
        async (perSecond, burst, steps) => {
          if (!make) return;
          let nowMs = START_MS;
          const { limiter, setNow } = await make(nowMs);
          const owners = [owner('key:a', rate('requests', perSecond, SECOND_MS, burst))];
          const seen: { readonly atMs: number; readonly isAdmitted: boolean }[] = [];
          for (const [index, { ms, asks }] of steps.entries()) {
            nowMs += ms;
            setNow(nowMs);
            for (let count = 0; count < asks; count += 1) {
              const requestId = `${index}-${count}`;
              const decision = await limiter.admit({ requestId, owners, demand: demand(1) });
              if (decision.admitted)
                await limiter.settle(decision.reservation, { inputTokens: 0, outputTokens: 0 });
              seen.push({ atMs: nowMs, isAdmitted: decision.admitted });
            }
          }
          for (const [first, { atMs: from }] of seen.entries()) {
            let [earliestMs, latestMs, admitted] = [from, from, 0];
            for (const { atMs, isAdmitted } of seen.slice(first)) {
              earliestMs = Math.min(earliestMs, atMs);
              latestMs = Math.max(latestMs, atMs);
              if (isAdmitted) admitted += 1;
              expect((admitted - burst) * SECOND_MS).toBeLessThanOrEqual(perSecond * (latestMs - earliestMs));
            }
          }
          await limiter.close();
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);

  it('a refusal tells how long it takes by the clock as it is now', async () => {
    if (!make) return;
    const { limiter, setNow } = await make(START_MS);
    const owners = [owner('key:a', rate('requests', 1, SECOND_MS, 1))];
    const ask = (requestId: string) => limiter.admit({ requestId, owners, demand: demand(1) });
    expect((await ask('a')).admitted).toBe(true);
    setNow(START_MS - 2_000);
    expect(await ask('b')).toMatchObject({ admitted: false, retryAfterMs: 3_000 });
    setNow(START_MS + 999);
    expect(await ask('c')).toMatchObject({ admitted: false, retryAfterMs: 1 });
    setNow(START_MS + 1_000);
    expect((await ask('d')).admitted).toBe(true);
    await limiter.close();
  });

  it('a window of the calendar that has ended does not come back', async () => {
    if (!make) return;
    const { limiter, setNow } = await make(START_MS);
    const owners = [owner('key:a', calendar('requests', 2))];
    const ask = (requestId: string) => limiter.admit({ requestId, owners, demand: demand(1) });
    setNow(START_MS + DAY_MS - 1_000);
    for (const id of ['a', 'b']) expect((await ask(id)).admitted).toBe(true);
    expect((await ask('c')).admitted).toBe(false);
    setNow(START_MS + DAY_MS + 1_000);
    for (const id of ['d', 'e']) expect((await ask(id)).admitted).toBe(true);
    setNow(START_MS + DAY_MS - 1_000);
    expect(await ask('f')).toMatchObject({ admitted: false, retryAfterMs: DAY_MS + 1_000 });
    await limiter.close();
  });
});
