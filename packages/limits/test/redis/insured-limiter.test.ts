import type { OwnerLimits } from '@nexus/domain';
import { until } from '@nexus/testkit';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis, type InsuranceChange, InsuredLimiter, type OnRedisFailure } from '../../src/index.ts';
import { calendar, demand, MINUTE_MS, owner, rate, SECOND_MS, slots } from '../limit-shapes.ts';

/** A decision may take Redis' time-out, and what a busy machine adds. */
const DECIDED_MS = 75 + 100;

interface Instance {
  readonly limiter: InsuredLimiter;
  readonly changes: InsuranceChange[];
}

async function startInstance(
  url: string,
  onRedisFailure: OnRedisFailure = 'local',
  isConnected = true,
): Promise<Instance> {
  const changes: InsuranceChange[] = [];
  const connections = connectRedis({ url }, () => {});
  const onState = (change: InsuranceChange) => void changes.push(change);
  const limiter = new InsuredLimiter({ connections, onRedisFailure, onState });
  onTestFinished(() => limiter.close());
  if (isConnected) await until(() => connections.admitting.status === 'ready');
  return { limiter, changes };
}

/** Waits until every instance has seen all of them. */
async function startInstances(url: string, count: number): Promise<Instance[]> {
  const instances = await Promise.all(Array.from({ length: count }, () => startInstance(url)));
  // Each beats every two seconds.
  await new Promise((resolve) => setTimeout(resolve, count === 1 ? 200 : 2_700));
  return instances;
}

let asked = 0;
async function ask(limiter: InsuredLimiter, owners: readonly OwnerLimits[], tokens = 0) {
  const startMs = performance.now();
  const decision = await limiter.admit({ requestId: `r${asked++}`, owners, demand: demand(1, tokens) });
  return { decision, tookMs: performance.now() - startMs };
}

async function admittedOf(
  limiter: InsuredLimiter,
  owners: readonly OwnerLimits[],
  times: number,
  tokens = 0,
) {
  let admitted = 0;
  let longestMs = 0;
  for (let count = 0; count < times; count += 1) {
    const { decision, tookMs } = await ask(limiter, owners, tokens);
    if (decision.admitted) admitted += 1;
    longestMs = Math.max(longestMs, tookMs);
  }
  return { admitted, longestMs };
}

const back = (instance: Instance) =>
  until(() => instance.limiter.state().status === 'ok', { withinMs: 8_000 });
const gone = (instance: Instance) =>
  until(() => instance.limiter.state().status === 'degraded', { withinMs: 3_000 });

/** Every way in which Redis can be away, and how it comes back. */
const FAULTS: [string, (redis: TestRedis) => Promise<() => Promise<unknown>>][] = [
  [
    'is killed and starts empty',
    async ({ process, port }) => {
      await process.stop('SIGKILL');
      return () => startRedis([], { port });
    },
  ],
  [
    'is frozen',
    async ({ process }) => {
      process.signal('SIGSTOP');
      return async () => process.signal('SIGCONT');
    },
  ],
  [
    'is a read-only replica',
    async ({ client }) => {
      await client.replicaof('127.0.0.1', 1);
      return () => client.replicaof('NO', 'ONE');
    },
  ],
  [
    'is out of memory',
    async ({ client }) => {
      await client.config('SET', 'maxmemory', '1');
      return () => client.config('SET', 'maxmemory', '0');
    },
  ],
  [
    'no longer knows the password',
    async ({ client }) => {
      await client.config('SET', 'requirepass', 'another');
      await client.call('client', ['KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
      return () => client.config('SET', 'requirepass', '');
    },
  ],
  [
    'is busy with a script',
    async ({ client }) => {
      await client.config('SET', 'busy-reply-threshold', '20');
      const other = client.duplicate();
      other.on('error', () => {});
      other.eval('while true do end', 0).catch(() => {});
      return async () => {
        await client.script('KILL');
        other.disconnect();
      };
    },
  ],
  [
    'has too few replicas to write',
    async ({ client }) => {
      await client.config('SET', 'min-replicas-to-write', '1');
      return () => client.config('SET', 'min-replicas-to-write', '0');
    },
  ],
];

describe.skipIf(noRedis)('the insured limiter when Redis', () => {
  it.each(FAULTS)(
    '%s decides in time by its share, says so once, and trusts Redis again',
    async (_, fail) => {
      const redis = await startRedis();
      await redis.client.ping();
      const [instance] = await startInstances(redis.url, 1);
      if (!instance) return;
      const owners = [
        owner('key:a', rate('requests', 1, 3_600_000, 20), rate('model_tokens', 1, 3_600_000, 1_000)),
      ];
      expect(await admittedOf(instance.limiter, owners, 5, 10)).toMatchObject({ admitted: 5 });
      const mend = await fail(redis);
      const { admitted, longestMs } = await admittedOf(instance.limiter, owners, 30, 10);
      expect(longestMs).toBeLessThan(DECIDED_MS);
      expect(admitted).toBe(15);
      await gone(instance);
      await mend();
      await back(instance);
      expect(instance.changes.map(({ status }) => status)).toEqual(['degraded', 'ok']);
      expect(instance.changes[0]).toMatchObject({ decides: 'local', instances: 1, wasEmptied: false });
      const [requests] = await instance.limiter.peek(owners);
      expect(requests?.available).toBeLessThanOrEqual(5);
      expect(instance.limiter.endings().lost).toBe(0);
      redis.client.disconnect();
    },
  );

  it('is frozen gives back what came through late, and keeps what was let through meanwhile', async () => {
    const redis = await startRedis();
    const [instance] = await startInstances(redis.url, 1);
    if (!instance) return;
    const { limiter } = instance;
    const owners = [owner('key:a', rate('requests', 1, 3_600_000, 50), slots(30))];
    const kept = await ask(limiter, owners);
    redis.process.signal('SIGSTOP');
    const alone = await Promise.all(Array.from({ length: 12 }, () => ask(limiter, owners)));
    expect(alone.every(({ decision }) => decision.admitted)).toBe(true);
    await gone(instance);
    redis.process.signal('SIGCONT');
    await back(instance);
    const free = async () => (await limiter.peek(owners)).map(({ available }) => available);
    await expect.poll(free, { timeout: 3_000 }).toEqual([37, 17]);
    for (const { decision } of [kept, ...alone])
      if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 1, outputTokens: 1 });
    expect(await free()).toEqual([37, 30]);
    expect(limiter.state()).toMatchObject({ status: 'ok', reservations: 0 });
    redis.client.disconnect();
  });

  it('is flushed holds again what is under way', async () => {
    const redis = await startRedis();
    const [instance] = await startInstances(redis.url, 1);
    if (!instance) return;
    const { limiter, changes } = instance;
    const owners = [owner('key:a', slots(5), rate('model_tokens', 1, 3_600_000, 100))];
    const held = await Promise.all([1, 2, 3].map(() => ask(limiter, owners, 20)));
    await redis.client.flushall();
    await until(() => changes.length > 0, { withinMs: 4_000 });
    expect(changes).toMatchObject([{ status: 'ok', decides: 'redis', wasEmptied: true }]);
    expect((await limiter.peek(owners)).map(({ available }) => available)).toEqual([2, 40]);
    for (const { decision } of held)
      if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 20, outputTokens: 0 });
    expect((await limiter.peek(owners)).map(({ available }) => available)).toEqual([5, 40]);
    redis.client.disconnect();
  });

  it('never was there decides by the whole limit, and tells Redis when it comes', async () => {
    const redis = await startRedis();
    await redis.process.stop();
    const instance = await startInstance(redis.url, 'local', false);
    const owners = [owner('key:a', rate('requests', 1, 3_600_000, 10))];
    expect(await admittedOf(instance.limiter, owners, 20)).toMatchObject({ admitted: 10 });
    await startRedis([], { port: redis.port });
    await back(instance);
    expect((await instance.limiter.peek(owners))[0]?.available).toBe(0);
    redis.client.disconnect();
  });
});

describe.skipIf(noRedis)('the insured limiters of four instances', () => {
  it('keep within the limit together while Redis is away, and after it', async () => {
    const redis = await startRedis();
    const instances = await startInstances(redis.url, 4);
    const [first] = instances;
    const perSecond = 20;
    const owners = [
      owner('key:a', rate('requests', perSecond, SECOND_MS, 30), slots(10), calendar('model_tokens', 1_003)),
    ];
    const owners2 = [owner('key:b', slots(10))];
    if (!first) return;
    // Half is gone before: what each goes on from is its part of what is left.
    for (const { limiter } of instances)
      for (let count = 0; count < 4; count += 1) {
        const { decision } = await ask(limiter, owners);
        if (decision.admitted)
          await limiter.settle(decision.reservation, { inputTokens: 0, outputTokens: 0 });
      }
    await redis.process.stop('SIGKILL');
    const startMs = performance.now();
    let admitted = 0;
    let slotsTaken = 0;
    await Promise.all(
      instances.map(async ({ limiter }) => {
        while (performance.now() - startMs < 2_000) {
          const { decision } = await ask(limiter, owners);
          if (decision.admitted) {
            admitted += 1;
            await limiter.settle(decision.reservation, { inputTokens: 0, outputTokens: 0 });
          }
          if ((await ask(limiter, owners2)).decision.admitted) slotsTaken += 1;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }),
    );
    const outageMs = performance.now() - startMs;
    const most = 30 + (perSecond * outageMs) / SECOND_MS;
    expect(admitted).toBeLessThanOrEqual(most);
    expect(admitted).toBeGreaterThan((perSecond * outageMs) / SECOND_MS / 2);
    expect(slotsTaken).toBe(10);
    await startRedis([], { port: redis.port });
    await Promise.all(instances.map(back));
    const [rest] = await first.limiter.peek(owners);
    expect(rest?.available).toBeLessThanOrEqual(30);
    const [busy] = await first.limiter.peek(owners2);
    expect(busy?.available).toBe(0);
    redis.client.disconnect();
  });
});

describe.skipIf(noRedis)('the insured limiter told to', () => {
  it('refuse without Redis rejects each admission at once', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url, 'closed');
    const owners = [owner('key:a', rate('requests', 10, MINUTE_MS))];
    await ask(instance.limiter, owners);
    redis.process.signal('SIGSTOP');
    for (let count = 0; count < 6; count += 1) {
      const startMs = performance.now();
      await expect(ask(instance.limiter, owners)).rejects.toMatchObject({ code: 'limiter_unavailable' });
      expect(performance.now() - startMs).toBeLessThan(count < 3 ? DECIDED_MS : 20);
    }
    redis.process.signal('SIGCONT');
    await back(instance);
    expect((await instance.limiter.peek(owners))[0]?.available).toBeGreaterThanOrEqual(9);
    redis.client.disconnect();
  });

  it('pass everything without Redis counts it', async () => {
    const redis = await startRedis();
    const instance = await startInstance(redis.url, 'open');
    const owners = [owner('key:a', rate('requests', 1, 3_600_000, 10), calendar('model_tokens', 100))];
    await ask(instance.limiter, owners);
    redis.process.signal('SIGSTOP');
    for (let count = 0; count < 20; count += 1) {
      const { decision } = await ask(instance.limiter, owners);
      expect(decision.admitted).toBe(true);
      if (decision.admitted)
        await instance.limiter.settle(decision.reservation, { inputTokens: 7, outputTokens: 1 });
    }
    redis.process.signal('SIGCONT');
    await back(instance);
    await until(async () => (await instance.limiter.peek(owners))[1]?.available === 100 - 160);
    expect((await instance.limiter.peek(owners))[0]?.available).toBeLessThanOrEqual(0);
    redis.client.disconnect();
  });
});
