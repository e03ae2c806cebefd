import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { afterAll, describe, expect, it } from 'vitest';
import { RedisLimiter } from '../../src/index.ts';
import { expectWindows } from '../asked-requests.ts';
import { demand, owner, rate, SECOND_MS } from '../limit-shapes.ts';
import { sharedConnections } from './redis-harness.ts';
import { readDoubles } from './stored-numbers.ts';

const redis = noRedis ? undefined : await startRedis();

afterAll(async () => {
  redis?.client.disconnect();
  await redis?.process.stop();
});

/** A running Redis, and limiters on it with connections of their own. */
async function instances(count: number, keyPrefix: string) {
  if (!redis) throw new Error(noRedis);
  const limiters: RedisLimiter[] = [];
  for (let index = 0; index < count; index += 1)
    limiters.push(new RedisLimiter({ connections: await sharedConnections(redis.url), keyPrefix }));
  /** When the requests begin, by Redis' clock: the last number of their markers. */
  const begin = async (ids: string) => {
    const keys = await redis.client.keys(`{${keyPrefix}}:r:${ids}`);
    return (await redis.client.mgetBuffer(keys)).map((marker) => {
      const taken = marker ? readDoubles(marker) : undefined;
      const start = taken?.at(-1);
      if (start === undefined) throw new Error('a marker without a start');
      return start;
    });
  };
  const close = () => Promise.all(limiters.map((limiter) => limiter.close()));
  return { limiters, begin, close, client: redis.client };
}

describe.skipIf(noRedis)('requests that wait on many instances', () => {
  it('stand in one queue: every window of every bucket holds', async () => {
    const { limiters, begin, close } = await instances(4, 'queue');
    const wide = owner('gateway', rate('requests', 300, SECOND_MS, 20));
    const narrow = owner('key:a', rate('requests', 100, SECOND_MS, 5));
    const ask = (limiter: RedisLimiter, requestId: string, owners = [narrow, wide]) =>
      limiter.admit({ requestId, owners, demand: demand(1), maxWaitMs: 60_000 });
    const asked = limiters.flatMap((limiter, instance) =>
      Array.from({ length: 60 }, async (_, index) => [
        await ask(limiter, `both-${instance}-${index}`),
        index % 2 === 0 ? await ask(limiter, `wide-${instance}-${index}`, [wide]) : undefined,
      ]),
    );
    for (const decisions of await Promise.all(asked))
      for (const decision of decisions) if (decision) expect(decision.admitted).toBe(true);
    const both = await begin('both-*');
    const all = [...both, ...(await begin('wide-*'))];
    expect([both.length, all.length]).toEqual([240, 360]);
    expectWindows(both, 5, 0.1);
    expectWindows(all, 20, 0.3);
    await close();
  });

  it('are remembered for as long as they take, and forgotten then', async () => {
    const { limiters, close, client } = await instances(1, 'memory');
    const owners = [owner('key:a', rate('requests', 1, 100 * SECOND_MS, 1))];
    const waits: number[] = [];
    for (let index = 0; index < 3; index += 1) {
      const decision = await limiters[0]?.admit({
        requestId: `${index}`,
        owners,
        demand: demand(1),
        maxWaitMs: 3_600_000,
      });
      if (decision?.admitted) waits.push(decision.startsInMs);
    }
    const [key = ''] = await client.keys('{memory}:o:*');
    const lives = await client.pttl(key);
    // The last begins in some 200 s; until then at most all comes in that is missing: three times 100 s.
    expect(waits).toHaveLength(3);
    expect(lives).toBeGreaterThan((waits[2] ?? 0) + 50_000);
    expect(lives).toBeLessThan((waits[2] ?? 0) + 310_000);
    await close();
  });
});
