import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis } from '../../src/index.ts';
import { Instances } from '../../src/redis/instances.ts';
import { owner, rate, SECOND_MS } from '../limit-shapes.ts';
import { back, gone, PATIENT_MS, startInstances, use } from './insured-harness.ts';

const NAMES = '{nexus}:instances';

/** Instances that know each other, by a clock that is set by hand. */
async function known(redis: TestRedis, count: number) {
  const clock = { nowMs: 0 };
  const connections = connectRedis({ url: redis.url, commandTimeoutMs: PATIENT_MS }, () => {});
  onTestFinished(() => connections.close());
  await connections.untilReady(20_000);
  const all = Array.from({ length: count }, () => new Instances(connections, 'nexus', () => clock.nowMs));
  for (const instance of all) await instance.beat();
  const shares = async () => {
    const beats = [];
    for (const instance of all) beats.push(await instance.beat());
    return beats;
  };
  return { clock, all, shares };
}

/** Makes it so long ago that these beat last; all of them, unless places are named. */
async function makeOlder({ client }: TestRedis, ms: number, isMeant = (_place: number) => true) {
  const names = (await client.zrange(NAMES, '0', '-1')).toSorted();
  for (const name of names.filter((_, place) => isMeant(place))) await client.zincrby(NAMES, `${-ms}`, name);
}

describe.skipIf(noRedis)('instances on one Redis', () => {
  it('each have a place of their own among all', async () => {
    const redis = await startRedis();
    const { shares } = await known(redis, 3);
    const told = await shares();
    expect(told.map(({ count }) => count)).toEqual([3, 3, 3]);
    expect(told.map(({ place }) => place).toSorted()).toEqual([0, 1, 2]);
    redis.client.disconnect();
  });

  it('forget one that does not beat while others do', async () => {
    const redis = await startRedis();
    const { all, shares } = await known(redis, 3);
    const before = await shares();
    await makeOlder(redis, 20_000, (place) => place === before[1]?.place);
    for (const index of [0, 2]) expect(await all[index]?.beat()).toMatchObject({ count: 2 });
    redis.client.disconnect();
  });

  it('forget nobody for a time in which none could beat', async () => {
    const redis = await startRedis();
    const { all, shares } = await known(redis, 3);
    const before = await shares();
    await makeOlder(redis, 3_600_000);
    expect(await all[2]?.beat()).toEqual(before[2]);
    expect(await all[0]?.beat()).toEqual(before[0]);
    // One is gone for good: it has as long to come back as it always has.
    await makeOlder(redis, 20_000, (place) => place === before[1]?.place);
    expect(await all[0]?.beat()).toMatchObject({ count: 2 });
    redis.client.disconnect();
  });

  it('keep their places when Redis has lost its memory, until all are back or gone', async () => {
    const redis = await startRedis();
    const { clock, all, shares } = await known(redis, 3);
    const before = await shares();
    await redis.client.flushall();
    for (const index of [2, 0]) {
      const { count, place, epoch } = (await all[index]?.beat()) ?? {};
      expect({ count, place }).toEqual({ count: 3, place: before[index]?.place });
      expect(epoch).not.toBe(before[index]?.epoch);
    }
    clock.nowMs += 9_000;
    expect(await all[2]?.beat()).toMatchObject({ count: 3, place: before[2]?.place });
    clock.nowMs += 1_001;
    expect(await all[2]?.beat()).toMatchObject({ count: 2 });
    redis.client.disconnect();
  });

  it('keep within a limit together when Redis goes away again just after it came back', async () => {
    const redis = await startRedis();
    const instances = await startInstances(redis.url, 3);
    const burst = 30;
    // It is away for an hour: nobody's last beat is younger.
    await makeOlder(redis, 3_600_000);
    const owners = [owner('key:a', rate('requests', 1, 3_600 * SECOND_MS, burst))];
    const everyone = async () => {
      let admitted = 0;
      await Promise.all(
        instances.map(async (instance) => {
          for (let count = 0; count < burst + 3; count += 1) if (await use(instance, owners)) admitted += 1;
        }),
      );
      return admitted;
    };
    await redis.client.config('SET', 'maxmemory', '1');
    for (const instance of instances) {
      for (let count = 0; count < 3; count += 1)
        await use(instance, [owner('key:other', rate('requests', 100, SECOND_MS))]);
      await gone(instance);
    }
    await redis.client.config('SET', 'maxmemory', '0');
    await Promise.all(instances.map(back));
    await redis.client.config('SET', 'maxmemory', '1');
    expect(await everyone()).toBeLessThanOrEqual(burst);
    expect(instances.map(({ limiter }) => limiter.instances().count)).toEqual([3, 3, 3]);
    redis.client.disconnect();
  }, 60_000);
});
