import type { Decision, OwnerLimits } from '@nexus/domain';
import { startRedisProxy, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis, RedisAwayError, RedisLimiter } from '../../src/index.ts';
import { calendar, demand, MINUTE_MS, owner, rate, SECOND_MS, slots } from '../limit-shapes.ts';
import { sharedConnections } from './redis-harness.ts';

const redis = noRedis ? undefined : await startRedis();
const shared = redis ? await sharedConnections(redis.url) : undefined;
let made = 0;

afterAll(async () => {
  shared?.close();
  redis?.client.disconnect();
  await redis?.process.stop();
});

function parts() {
  if (!redis || !shared) throw new Error('There is no Redis');
  const keyPrefix = `one-${made++}`;
  const { client } = redis;
  const connections = { ...shared, close() {} };
  const make = () => new RedisLimiter({ connections, keyPrefix });
  /** Scripts run so far. */
  const calls = async () => {
    const stats = await client.info('commandstats');
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  };
  return { redis, client, keyPrefix, make, calls, limiter: make() };
}

const five = () => [
  rate('requests', 10, SECOND_MS),
  rate('requests', 300, MINUTE_MS),
  rate('model_tokens', 50_000, MINUTE_MS),
  calendar('model_tokens', 2_000_000),
  slots(20),
];

describe.skipIf(noRedis)('the Redis limiter on the wire', () => {
  it('admits over three owners in one round trip', async () => {
    const { limiter, client, keyPrefix } = parts();
    const owners = [owner('key:a', ...five()), owner('model:b', ...five()), owner('gateway', ...five())];
    await limiter.admit({ requestId: 'first', owners, demand: demand(1, 10, 10) });
    const monitor = await client.duplicate({ lazyConnect: false }).monitor();
    const seen: string[] = [];
    monitor.on('monitor', (_at: string, args: string[], source: string) => {
      if (source !== 'lua' && args.some((arg) => arg.includes(keyPrefix))) seen.push(args[0] ?? '');
    });
    for (let count = 0; count < 20; count += 1)
      await limiter.admit({ requestId: `${count}`, owners, demand: demand(1, 10, 10) });
    await until(() => seen.length >= 20, { withinMs: 20_000 });
    expect(seen).toEqual(Array.from({ length: 20 }, () => 'evalsha'));
    monitor.disconnect();
  });

  it('brings those that come together to Redis in one call, in order, each all or none', async () => {
    const { limiter, calls } = parts();
    const owners = [owner('key:a', rate('requests', 1, 60_000, 30))];
    await limiter.peek(owners);
    const before = await calls();
    const asked = Array.from({ length: 50 }, (_, count) =>
      limiter.admit({ requestId: `${count}`, owners, demand: demand(1) }),
    );
    const decisions = await Promise.all(asked);
    expect(decisions.map(({ admitted }) => admitted)).toEqual(decisions.map((_, count) => count < 30));
    expect(decisions[29]?.buckets[0]?.available).toBe(0);
    expect((await calls()) - before).toBe(1);
  });

  it('gives every key a time to live, at least until the bucket is full and its last lease has run out', async () => {
    const { limiter, client, keyPrefix } = parts();
    const owners = [owner('key:a', rate('model_tokens', 100, SECOND_MS, 100_000))];
    const decision = await limiter.admit({ requestId: 'a', owners, demand: demand(1, 100) });
    const [key = ''] = await client.keys(`{${keyPrefix}}:o:*`);
    expect(await client.pttl(key)).toBeGreaterThanOrEqual(60_000);
    if (decision.admitted)
      await limiter.settle(decision.reservation, { inputTokens: 90_000, outputTokens: 0 });
    const ttl = await client.pttl(key);
    expect(ttl).toBeGreaterThan(899_000);
    expect(ttl).toBeLessThanOrEqual(902_000);
    for (const name of await client.keys(`{${keyPrefix}}:*`))
      expect(await client.pttl(name)).toBeGreaterThan(0);
  });

  it('keeps the time to live of what holds when a request without holds comes after', async () => {
    const { limiter, client, keyPrefix } = parts();
    const limit = rate('requests', 1_000, SECOND_MS);
    await limiter.admit({ requestId: 'a', owners: [owner('key:a', limit, slots(3))], demand: demand(1) });
    await limiter.admit({ requestId: 'b', owners: [owner('key:a', limit)], demand: demand(1) });
    const [key = ''] = await client.keys(`{${keyPrefix}}:o:*`);
    expect(await client.pttl(key)).toBeGreaterThanOrEqual(60_000);
  });

  it('forgets a full bucket, which is the same as one that was never there', async () => {
    const { limiter, client, keyPrefix } = parts();
    const owners = [owner('key:a', rate('requests', 20, SECOND_MS, 1), slots(2))];
    const decision = await limiter.admit({ requestId: 'a', owners, demand: demand(1) });
    if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 0, outputTokens: 0 });
    const count = async () => (await client.keys(`{${keyPrefix}}:o:*`)).length;
    expect(await count()).toBe(1);
    await until(async () => (await count()) === 0, { withinMs: 20_000 });
    expect((await limiter.peek(owners)).map(({ available }) => available)).toEqual([1, 2]);
  });

  it('keeps five limits in 256 bytes of Redis, key and overhead included', async () => {
    const { limiter, client, keyPrefix } = parts();
    const owners = [owner('key:search-prod', ...five())];
    for (let count = 0; count < 7; count += 1) {
      const decision = await limiter.admit({ requestId: `${count}`, owners, demand: demand(1, 900, 700) });
      if (decision.admitted && count < 4)
        await limiter.settle(decision.reservation, { inputTokens: 900, outputTokens: 321 });
    }
    const [key = ''] = await client.keys(`{${keyPrefix}}:o:*`);
    const bytes = await client.memory('USAGE', key);
    expect(bytes).toBeLessThanOrEqual(256);
  });

  it('writes no name, and nothing but hashes and numbers', async () => {
    const { limiter, client, keyPrefix } = parts();
    const owners = [owner('key:secret-canary', ...five())];
    await limiter.admit({ requestId: 'a canary, with spaces', owners, demand: demand(1, 5) });
    for (const key of await client.keys(`{${keyPrefix}}:*`)) {
      expect(key).not.toContain('canary');
      expect(`${await client.getBuffer(key)}`).not.toContain('canary');
    }
  });

  it('loads its scripts again when Redis has forgotten them', async () => {
    const { limiter, client } = parts();
    const owners = [owner('key:a', slots(5))];
    await client.script('FLUSH');
    const decision = await limiter.admit({ requestId: '1', owners, demand: demand(1) });
    await client.script('FLUSH');
    if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 0, outputTokens: 0 });
    expect((await limiter.peek(owners))[0]?.available).toBe(5);
  });
});

describe.skipIf(noRedis)('the Redis limiter when a client hammers an empty bucket', () => {
  it('refuses without a round trip, with the same wait', async () => {
    const { limiter, calls } = parts();
    const owners = [owner('key:a', rate('model_tokens', 1, SECOND_MS, 10))];
    const first = await limiter.admit({ requestId: 'a', owners, demand: demand(1, 10) });
    if (first.admitted) await limiter.settle(first.reservation, { inputTokens: 10, outputTokens: 0 });
    const denied = await limiter.admit({ requestId: 'b', owners, demand: demand(1, 5) });
    const before = await calls();
    for (let count = 0; count < 200; count += 1) {
      const again = await limiter.admit({
        requestId: `b${count}`,
        owners,
        demand: demand(1, 5 + (count % 3)),
      });
      expect(again).toMatchObject({ admitted: false, refusal: { owner: 'key:a' } });
    }
    expect((await calls()) - before).toBeLessThanOrEqual(1);
    const wait = denied.admitted ? 'never' : denied.retryAfterMs;
    expect(wait).toBeGreaterThan(4_900);
    const asked = await limiter.admit({ requestId: 'c', owners, demand: demand(1, 4) });
    expect(asked.admitted ? 0 : asked.retryAfterMs).toBeLessThan(4_000);
  });

  it('asks Redis as long as an end of another request could make room', async () => {
    const { limiter, make } = parts();
    const other = make();
    const owners = [owner('key:a', rate('requests', 1, MINUTE_MS, 1))];
    const held = await other.admit({ requestId: 'a', owners, demand: demand(1) });
    expect((await limiter.admit({ requestId: 'b', owners, demand: demand(1) })).admitted).toBe(false);
    if (held.admitted) await other.cancel(held.reservation);
    expect((await limiter.admit({ requestId: 'c', owners, demand: demand(1) })).admitted).toBe(true);
  });
});

describe.skipIf(noRedis)('the Redis limiter behind a network that fails', () => {
  async function behindProxy(commandTimeoutMs: number) {
    const { redis: server, keyPrefix } = parts();
    const proxy = await startRedisProxy(server.port);
    const connections = connectRedis({ url: proxy.url, commandTimeoutMs }, () => {});
    const limiter = new RedisLimiter({ connections, keyPrefix });
    onTestFinished(() => limiter.close());
    expect(await connections.untilReady(20_000)).toBe(true);
    const free = async (owners: readonly OwnerLimits[]) =>
      `${(await limiter.peek(owners)).map(({ available }) => available)}`;
    return { proxy, limiter, free };
  }

  it('counts nothing twice when answers are lost', async () => {
    const { proxy, limiter, free } = await behindProxy(1_000);
    const owners = [
      owner('key:a', rate('requests', 1, 3_600_000, 100), rate('model_tokens', 1, 3_600_000, 1_000)),
    ];
    const held: Decision[] = [];
    for (let count = 0; count < 5; count += 1)
      held.push(await limiter.admit({ requestId: `kept ${count}`, owners, demand: demand(1, 10) }));
    proxy.losesAnswers = true;
    for (let count = 0; count < 3; count += 1)
      await expect(
        limiter.admit({ requestId: `lost ${count}`, owners, demand: demand(1, 10) }),
      ).rejects.toBeInstanceOf(RedisAwayError);
    for (const decision of held)
      if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 7, outputTokens: 0 });
    proxy.losesAnswers = false;
    proxy.cut();
    await until(() => limiter.endings().queued === 0, { withinMs: 20_000 });
    await until(async () => (await free(owners)) === '95,965', { withinMs: 20_000 });
    expect(limiter.endings()).toEqual({ queued: 0, lost: 0 });
  }, 60_000);

  it('waits no longer than its time-out for a slow Redis, and gives back what came too late', async () => {
    const [timeoutMs, delayMs] = [300, 1_500];
    const { proxy, limiter, free } = await behindProxy(timeoutMs);
    const owners = [owner('key:a', slots(50))];
    await until(async () => (await free(owners)) === '50', { withinMs: 20_000 });
    proxy.delayMs = delayMs;
    const startMs = performance.now();
    const asked = Array.from({ length: 20 }, (_, count) =>
      limiter.admit({ requestId: `${count}`, owners, demand: demand(1) }),
    );
    const ends = await Promise.allSettled(asked);
    // It didn't wait for the answer. Nor did those behind it wait as long again.
    expect(performance.now() - startMs).toBeLessThan(delayMs);
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    proxy.delayMs = 0;
    await until(() => limiter.endings().queued === 0, { withinMs: 20_000 });
    await until(async () => (await free(owners)) === '50', { withinMs: 20_000 });
  }, 60_000);

  it('makes a connection anew that has been silent for long, without anybody else to notice', async () => {
    const { proxy, limiter, free } = await behindProxy(1_000);
    const owners = [owner('key:a', slots(5))];
    const { connections } = proxy;
    proxy.losesAnswers = true;
    await expect(limiter.peek(owners)).rejects.toBeInstanceOf(RedisAwayError);
    // Answers on the old connections are lost for ever.
    proxy.losesAnswers = 'old';
    await until(async () => (await free(owners)) === '5', { withinMs: 20_000, everyMs: 50 });
    expect(proxy.connections).toBeGreaterThan(connections);
  }, 60_000);
});
