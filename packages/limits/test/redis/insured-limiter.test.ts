import { startRedisProxy, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { calendar, owner, rate, SECOND_MS, slots } from '../limit-shapes.ts';
import {
  ask,
  back,
  free,
  gone,
  SILENT_MS,
  settle,
  startInstance,
  startInstances,
  use,
} from './insured-harness.ts';

const SILENT = { commandTimeoutMs: SILENT_MS };

describe.skipIf(noRedis)('the insured limiter when Redis', () => {
  it('is frozen gives back what came through late, and keeps what was let through meanwhile', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url, SILENT);
    const { limiter } = instance;
    const owners = [owner('key:a', rate('requests', 1, 3_600_000, 50), slots(30))];
    const kept = await ask(instance, owners);
    redis.process.signal('SIGSTOP');
    const alone = await Promise.all(Array.from({ length: 12 }, () => ask(instance, owners)));
    expect(alone.every(({ admitted }) => admitted)).toBe(true);
    await gone(instance);
    redis.process.signal('SIGCONT');
    await back(instance);
    await until(async () => `${await free(instance, owners)}` === '37,17', { withinMs: 20_000 });
    for (const decision of [kept, ...alone]) await settle(instance, decision);
    expect(await free(instance, owners)).toEqual([37, 30]);
    expect(limiter.state()).toMatchObject({ status: 'ok', reservations: 0 });
    redis.client.disconnect();
  }, 60_000);

  it('is back gives the charge back of a request that was admitted alone and is cancelled', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url);
    const owners = [owner('key:a', rate('requests', 1, 3_600_000, 20), calendar('requests', 100, 'month'))];
    expect(await use(instance, owners)).toBe(true);
    await redis.client.config('SET', 'maxmemory', '1');
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => ask(instance, owners)));
    for (let count = 0; count < 3; count += 1) await use(instance, owners);
    await gone(instance);
    await redis.client.config('SET', 'maxmemory', '0');
    await back(instance);
    expect(await free(instance, owners)).toEqual([13, 93]);
    for (const decision of [first, second])
      if (decision?.admitted) await instance.limiter.cancel(decision.reservation);
    expect(await free(instance, owners)).toEqual([15, 95]);
    if (third) await settle(instance, third);
    expect(await free(instance, owners)).toEqual([15, 95]);
    redis.client.disconnect();
  }, 60_000);

  it('is flushed holds again what is under way', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url);
    const { changes } = instance;
    const owners = [owner('key:a', slots(5), rate('model_tokens', 1, 3_600_000, 100))];
    const held = await Promise.all([1, 2, 3].map(() => ask(instance, owners, 20)));
    await redis.client.flushall();
    await until(() => changes.length > 0, { withinMs: 20_000 });
    expect(changes).toMatchObject([{ status: 'ok', decides: 'redis', wasEmptied: true }]);
    expect(await free(instance, owners)).toEqual([2, 40]);
    for (const decision of held) await settle(instance, decision, 20);
    expect(await free(instance, owners)).toEqual([5, 40]);
    redis.client.disconnect();
  }, 60_000);

  it('never was there decides rates by the whole limit, and tells Redis when it comes', async () => {
    const redis = await startRedis();
    await redis.process.stop();
    const instance = await startInstance(redis.url, { connects: false });
    const owners = [owner('key:a', rate('requests', 1, 3_600_000, 10))];
    let admitted = 0;
    for (let count = 0; count < 20; count += 1) if (await use(instance, owners)) admitted += 1;
    expect(admitted).toBe(10);
    await startRedis([], { port: redis.port });
    await back(instance);
    expect(await free(instance, owners)).toEqual([0]);
    redis.client.disconnect();
  }, 60_000);

  it('is gone without a word makes its connections anew', async () => {
    const redis = await startRedis();
    const proxy = await startRedisProxy(redis.port);
    const instance = await startInstance(proxy.url, SILENT);
    const owners = [owner('key:a', slots(5))];
    await use(instance, owners);
    const { connections } = proxy;
    proxy.losesAnswers = true;
    for (let count = 0; count < 6; count += 1) await use(instance, owners);
    await gone(instance);
    // The old connections stay dead.
    proxy.losesAnswers = 'old';
    await back(instance);
    expect(proxy.connections).toBeGreaterThan(connections);
    expect(await free(instance, owners)).toEqual([5]);
    redis.client.disconnect();
  }, 60_000);
});

describe.skipIf(noRedis)('the insured limiters of four instances', () => {
  it('keep within the limit together while Redis is away, and after it', async () => {
    const redis = await startRedis();
    const instances = await startInstances(redis.url, 4);
    const [first] = instances;
    if (!first) return;
    const [perSecond, burst] = [20, 30];
    const owners = [
      owner('key:a', rate('requests', perSecond, SECOND_MS, burst), slots(10)),
      owner('team:t', calendar('model_tokens', 1_003, 'month')),
    ];
    const onlySlots = [owner('key:b', slots(10))];
    // Part of it is gone before: what each goes on from is its part of what is left.
    for (const instance of instances)
      for (let count = 0; count < 4; count += 1) await use(instance, owners, 20);
    for (const instance of instances) await free(instance, owners);
    await redis.process.stop('SIGKILL');
    const startMs = performance.now();
    let admitted = 0;
    let slotsTaken = 0;
    await Promise.all(
      instances.map(async (instance) => {
        for (let count = 0; count < 20 || performance.now() - startMs < 2_000; count += 1) {
          const isAdmitted = await use(instance, owners, 7).catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'limiter_unavailable' });
            return false;
          });
          if (isAdmitted) admitted += 1;
          if ((await ask(instance, onlySlots)).admitted) slotsTaken += 1;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }),
    );
    const outageMs = performance.now() - startMs;
    expect(admitted).toBeLessThanOrEqual(burst + (perSecond * outageMs) / SECOND_MS);
    // 683 tokens were left, each instance may use 170 of them.
    expect(admitted * 7).toBeLessThanOrEqual(683);
    expect(admitted).toBeGreaterThan(12);
    expect(slotsTaken).toBe(10);
    await startRedis([], { port: redis.port });
    await Promise.all(instances.map(back));
    await until(async () => `${(await free(first, owners))[2]}` === `${683 - 7 * admitted}`, {
      withinMs: 20_000,
    });
    const rest = await free(first, owners);
    expect(rest[0]).toBeLessThanOrEqual(burst);
    expect(rest[1]).toBe(10);
    expect(await free(first, onlySlots)).toEqual([0]);
    redis.client.disconnect();
  }, 60_000);
});

describe.skipIf(noRedis)('the insured limiter told to', () => {
  it('refuse without Redis rejects each admission', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url, { ...SILENT, onRedisFailure: 'closed' });
    const owners = [owner('key:a', rate('requests', 1, 3_600_000, 10))];
    await use(instance, owners);
    redis.process.signal('SIGSTOP');
    for (let count = 0; count < 6; count += 1)
      await expect(use(instance, owners)).rejects.toMatchObject({ code: 'limiter_unavailable' });
    await gone(instance);
    redis.process.signal('SIGCONT');
    await back(instance);
    // What came through late has been given back.
    await until(async () => `${await free(instance, owners)}` === '9', { withinMs: 20_000 });
    redis.client.disconnect();
  }, 60_000);

  it('pass everything without Redis counts it', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url, { onRedisFailure: 'open' });
    const owners = [
      owner('key:a', rate('requests', 1, 3_600_000, 10), calendar('model_tokens', 100, 'month')),
    ];
    await use(instance, owners);
    await redis.client.config('SET', 'min-replicas-to-write', '1');
    for (let count = 0; count < 20; count += 1) expect(await use(instance, owners, 8)).toBe(true);
    expect(await free(instance, owners)).toEqual([10 - 21, 100 - 160]);
    await redis.client.config('SET', 'min-replicas-to-write', '0');
    await back(instance);
    expect(await free(instance, owners)).toEqual([10 - 21, 100 - 160]);
    redis.client.disconnect();
  }, 60_000);

  it('treat budgets otherwise than rates does so', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url, {
      onRedisFailure: { rates: 'open', budgets: 'closed' },
    });
    const rates = owner('key:a', rate('requests', 1, 3_600_000, 2));
    const budget = owner('team:t', calendar('requests', 100, 'month'));
    await use(instance, [rates, budget]);
    await redis.client.config('SET', 'min-replicas-to-write', '1');
    for (let count = 0; count < 6; count += 1) {
      expect(await use(instance, [rates])).toBe(true);
      await expect(use(instance, [rates, budget])).rejects.toMatchObject({ code: 'limiter_unavailable' });
    }
    expect(instance.changes).toMatchObject([{ decides: 'open', decidesBudgets: 'closed' }]);
    await redis.client.config('SET', 'min-replicas-to-write', '0');
    await back(instance);
    expect(await free(instance, [rates, budget])).toEqual([2 - 7, 99]);
    redis.client.disconnect();
  }, 60_000);
});
