import { until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { RedisLimiter } from '../../src/index.ts';
import { calendar, demand, owner, rate, slots } from '../limit-shapes.ts';
import { ask, free, type Instance, settle, startInstance, startInstances, use } from './insured-harness.ts';
import { sharedConnections } from './redis-harness.ts';

// Of windows, so that no test can begin in one day and end in the next.
const tokens = calendar('model_tokens', 1_000, 'month');
const requests = calendar('requests', 100, 'month');

describe.skipIf(noRedis)('a calendar window in a Redis that was flushed', () => {
  it('is not full again: every instance gives back what it saw used', async () => {
    const redis = await startRedis();
    const [one, other] = await startInstances(redis.url, 2);
    if (!one || !other) return;
    const owners = [owner('key:a', tokens, requests, rate('requests', 1, 3_600_000, 50), slots(9))];
    const onlyOthers = [owner('key:b', tokens)];
    for (let count = 0; count < 5; count += 1) expect(await use(one, owners, 60)).toBe(true);
    expect(await use(other, onlyOthers, 700)).toBe(true);
    expect(await use(other, onlyOthers, 1)).toBe(true);
    expect(await free(other, onlyOthers)).toEqual([299]);
    const held = await ask(one, owners, 100);
    expect(await free(one, owners)).toEqual([600, 94, 44, 8]);
    await redis.client.flushall();
    const areBack = async () => `${await free(one, owners)}` === '600,94,49,8';
    await until(areBack, { withinMs: 20_000 });
    await until(async () => `${await free(one, onlyOthers)}` === '299', { withinMs: 20_000 });
    await settle(one, held, 40);
    expect(await free(other, owners)).toEqual([660, 94, 49, 9]);
    await until(() => [one, other].every(({ changes }) => changes.length > 0), { withinMs: 20_000 });
    for (const { changes } of [one, other])
      expect(changes).toMatchObject([{ status: 'ok', decides: 'redis', wasEmptied: true }]);
    redis.client.disconnect();
  }, 60_000);

  it('refuses the next request but one if it was used up', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url);
    const owners = [owner('key:a', tokens)];
    expect(await use(instance, owners, 1_000)).toBe(true);
    expect((await ask(instance, owners, 1)).admitted).toBe(false);
    await redis.client.flushall();
    // The answer to this one is what shows the loss.
    await use(instance, owners, 1);
    await until(async () => ((await free(instance, owners))[0] ?? 0) <= 0, { withinMs: 20_000 });
    expect((await ask(instance, owners, 1)).admitted).toBe(false);
    redis.client.disconnect();
  }, 60_000);

  it('is full where no living instance has seen it', async () => {
    const redis = await startRedis();
    const first = await startInstance(redis.url);
    const owners = [owner('key:a', tokens)];
    await use(first, owners, 800);
    await first.limiter.close();
    await redis.client.flushall();
    const second = await startInstance(redis.url);
    expect(await free(second, owners)).toEqual([1_000]);
    redis.client.disconnect();
  }, 60_000);
});

describe.skipIf(noRedis)('a calendar window in a Redis that has gone back to an older state', () => {
  it('keeps what was used since, without a word of the epoch', async () => {
    const redis = await startRedis();
    const { client } = redis;
    const instance = await startInstance(redis.url);
    const owners = [owner('key:a', tokens, requests)];
    await use(instance, owners, 100);
    const [key = ''] = await client.keys('{nexus}:o:*');
    const old = await client.dumpBuffer(key);
    for (let count = 0; count < 4; count += 1) await use(instance, owners, 100);
    expect(await free(instance, owners)).toEqual([500, 95]);
    expect(old).not.toBeNull();
    if (old) await client.restore(key, 600_000, old, 'REPLACE');
    await use(instance, owners, 1);
    await until(async () => `${await free(instance, owners)}` === '499,94', { withinMs: 20_000 });
    redis.client.disconnect();
  }, 60_000);
});

describe.skipIf(noRedis)('many instances that remember different things', () => {
  it('give back the most of what they saw, once', async () => {
    const redis = await startRedis();
    const connections = await sharedConnections(redis.url);
    const limiters = Array.from(
      { length: 5 },
      () => new RedisLimiter({ connections: { ...connections, close() {} } }),
    );
    const owners = Array.from({ length: 40 }, (_, count) => owner(`key:${count}`, tokens, requests));
    // Each sees every owner once, after those before it.
    for (const [index, limiter] of limiters.entries())
      for (const [place, limits] of owners.entries()) {
        const asked = { owners: [limits], demand: demand(1, 20) };
        const decision = await limiter.admit({ requestId: `${index}-${place}`, ...asked });
        if (decision.admitted)
          await limiter.settle(decision.reservation, { inputTokens: 20, outputTokens: 0 });
        await limiter.peek([limits]);
      }
    await redis.client.flushall();
    await Promise.all(limiters.map(({ windows }) => windows.restoreAll()));
    const [last] = limiters;
    const views = last ? await last.peek(owners) : [];
    expect(views.map(({ available }) => available)).toEqual(owners.flatMap(() => [900, 95]));
    for (const limiter of limiters) await limiter.close();
    connections.close();
    redis.client.disconnect();
  }, 60_000);
});

describe.skipIf(noRedis)('what is used of a window', () => {
  it('is looked at again after a settlement that no admission followed', async () => {
    const redis = await startRedis();
    const [one, other]: (Instance | undefined)[] = await startInstances(redis.url, 2);
    if (!one || !other) return;
    const owners = [owner('key:a', tokens)];
    const held = await ask(one, owners, 100);
    await settle(one, held, 350);
    // Its next beat, at the latest, has looked.
    const calls = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.client.info('commandstats'))?.[1] ?? 0);
    const before = await calls();
    await until(async () => (await calls()) >= before + 5, { withinMs: 20_000 });
    await redis.client.flushall();
    await until(async () => (await free(other, owners))[0] === 650, { withinMs: 20_000 });
    redis.client.disconnect();
  }, 60_000);
});
