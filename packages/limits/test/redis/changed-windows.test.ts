import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RedisLimiter } from '../../src/index.ts';
import { calendar, demand, owner, slots } from '../limit-shapes.ts';
import { sharedConnections } from './redis-harness.ts';

// Of a month, so that hardly any test begins in one window and ends in the next.
const requests = calendar('requests', 100, 'month');
const tokens = calendar('model_tokens', 1_000, 'month');

async function start() {
  const redis = await startRedis();
  onTestFinished(() => redis.client.disconnect());
  const connections = await sharedConnections(redis.url);
  onTestFinished(() => connections.close());
  const make = () => {
    const limiter = new RedisLimiter({ connections: { ...connections, close() {} } });
    onTestFinished(() => limiter.close());
    return limiter;
  };
  let asked = 0;
  const hold = (limiter: RedisLimiter, limits = owner('key:a', requests, tokens, slots(9))) => {
    asked += 1;
    return limiter.admit({ requestId: `${asked}`, owners: [limits], demand: demand(1, 10) });
  };
  const use = async (limiter: RedisLimiter, limits = owner('key:a', requests, tokens, slots(9))) => {
    const decision = await hold(limiter, limits);
    if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 10, outputTokens: 0 });
  };
  return { redis, make, hold, use };
}

async function free(limiter: RedisLimiter, limits = owner('key:a', requests, tokens)): Promise<number[]> {
  return (await limiter.peek([limits])).map(({ available }) => available);
}

describe.skipIf(noRedis)('what was seen used of a window', () => {
  it('is not taken for lost while requests are under way that its limit did not count', async () => {
    const { make, hold, use } = await start();
    const [one, other] = [make(), make()];
    for (let count = 0; count < 5; count += 1) await use(one);
    expect(await free(one)).toEqual([95, 950]);
    // An instance that hasn't taken over the limit yet.
    for (let count = 0; count < 4; count += 1) await hold(other, owner('key:a', slots(9)));
    expect(await free(one)).toEqual([95, 950]);
    expect(one.windows.hasLost).toBe(false);
    await one.flush(20_000);
    expect(await free(one)).toEqual([95, 950]);
  });

  it('is known under whatever amount the limit has', async () => {
    const { redis, make, use } = await start();
    const limiter = make();
    for (let count = 0; count < 5; count += 1) await use(limiter);
    for (const amount of [7, 0, 3, 200]) {
      const changed = owner('key:a', calendar('requests', amount, 'month'), {
        ...tokens,
        amount: amount * 10,
      });
      await free(limiter, changed);
      expect(limiter.windows.hasLost).toBe(false);
    }
    await free(limiter, owner('key:a', calendar('requests', 0, 'month'), { ...tokens, amount: 0 }));
    await redis.client.flushall();
    await free(limiter);
    expect(limiter.windows.hasLost).toBe(true);
    await limiter.windows.restoreAll();
    expect(await free(limiter)).toEqual([95, 950]);
  });

  it('is given back whole to a Redis that counts requests under way already', async () => {
    const { redis, make, hold, use } = await start();
    const limiter = make();
    for (let count = 0; count < 3; count += 1) await use(limiter);
    expect(await free(limiter)).toEqual([97, 970]);
    await redis.client.flushall();
    // As many as were lost: nothing seems to be missing.
    const held = await Promise.all([hold(limiter), hold(limiter), hold(limiter)]);
    expect(held.every(({ admitted }) => admitted)).toBe(true);
    await limiter.windows.restoreAll();
    for (const decision of held)
      if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 10, outputTokens: 0 });
    await limiter.windows.restoreAll();
    expect(await free(limiter)).toEqual([94, 940]);
  });
});
