import { fileURLToPath } from 'node:url';
import { type StartedProcess, startProcess, until } from '@nexus/testkit';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { RedisLimiter } from '../../src/index.ts';
import { demand, owner, rate, SECOND_MS, slots } from '../limit-shapes.ts';
import type { WorkerTask } from './overload-worker.ts';
import { sharedConnections } from './redis-harness.ts';
import { readDoubles } from './stored-numbers.ts';

const LEASE = { leaseMs: 30_000, sliceMs: 10_000 };

function startWorker(task: WorkerTask): Promise<StartedProcess> {
  return startProcess({
    command: process.execPath,
    args: [fileURLToPath(new URL('overload-worker.ts', import.meta.url)), JSON.stringify(task)],
    readyWhen: /^ready$/,
  });
}

/** When each request that is still under way was admitted, by Redis' clock. */
async function admissionTimes({ client }: TestRedis, keyPrefix: string): Promise<number[]> {
  const keys = await client.keys(`{${keyPrefix}}:r:*`);
  const times: number[] = [];
  for (const marker of await client.mgetBuffer(keys)) {
    const taken = marker ? readDoubles(marker) : undefined;
    if (taken?.[2] !== undefined) times.push(taken[2]);
  }
  return times.sort((one, other) => one - other);
}

describe.skipIf(noRedis)('many instances on one Redis', () => {
  it.each([1, 2, 4, 8])(
    'let exactly burst + rate · time through in every window, %i of them under overload',
    async (count) => {
      const redis = await startRedis();
      const [perSecond, burst] = [200, 400];
      const owners = [owner('key:a', rate('requests', perSecond, SECOND_MS, burst))];
      const task = { url: redis.url, keyPrefix: 'nexus', owners, forMs: 2_500, ...LEASE };
      const workers = await Promise.all(
        Array.from({ length: count }, () =>
          startWorker({ ...task, clients: Math.ceil(16 / count), settles: false }),
        ),
      );
      await Promise.all(workers.map(({ ended }) => ended));
      const told = workers.flatMap(({ stdout }) => stdout).join('\n');
      const sum = (what: RegExp) => [...told.matchAll(what)].reduce((all, [, n]) => all + Number(n), 0);
      const times = await admissionTimes(redis, 'nexus');
      expect(times.length).toBe(sum(/"admitted":(\d+)/g));
      let broken = 0;
      for (const [first, from] of times.entries())
        for (let last = first; last < times.length; last += 1) {
          const most = burst + (perSecond * ((times[last] ?? 0) - from)) / SECOND_MS;
          if (last - first + 1 > most) broken += 1;
        }
      expect(broken).toBe(0);
      const [startMs = 0] = times;
      const wholeMs = (times.at(-1) ?? 0) - startMs;
      expect(wholeMs).toBeGreaterThan(2_000);
      // What lies in the bucket because the machine stood still a moment ago isn't lost: at some instants all has been used.
      const used = times.map((atMs, index) => {
        const most = burst + (perSecond * (atMs - startMs)) / SECOND_MS;
        return atMs - startMs > wholeMs / 2 ? (index + 1) / most : 0;
      });
      expect(Math.max(...used)).toBeGreaterThanOrEqual(0.99);
      expect(sum(/"asked":(\d+)/g)).toBeGreaterThan(2 * times.length);
      redis.client.disconnect();
    },
  );

  it('get back what an instance held that was killed, after its lease', async () => {
    const redis = await startRedis();
    const lease = { leaseMs: 4_000, sliceMs: 1_000 };
    const owners = [owner('key:a', slots(5), rate('model_tokens', 1_000, 60_000))];
    const worker = await startWorker({
      ...{ url: redis.url, keyPrefix: 'nexus', owners, forMs: 60_000 },
      ...{ clients: 8, settles: false, ...lease },
    });
    const connections = await sharedConnections(redis.url);
    const limiter = new RedisLimiter({ connections, ...lease });
    const free = async () => (await limiter.peek(owners)).map(({ available }) => available);
    await until(async () => (await free())[0] === 0, { withinMs: 20_000 });
    await worker.stop('SIGKILL');
    expect(await free()).toEqual([0, 500]);
    await until(async () => (await free())[0] === 5, { withinMs: 20_000 });
    expect(await free()).toEqual([5, 1_000]);
    const again = await limiter.admit({ requestId: 'next', owners, demand: demand(1, 1_000) });
    expect(again.admitted).toBe(true);
    await limiter.close();
    redis.client.disconnect();
  });

  it('settle all that they held, when many end at once', async () => {
    const redis = await startRedis();
    const owners = [owner('key:a', slots(40), rate('model_tokens', 1, 60_000, 10_000_000))];
    const task = { url: redis.url, keyPrefix: 'nexus', owners, forMs: 800, clients: 20, ...LEASE };
    const workers = await Promise.all([1, 2].map(() => startWorker({ ...task, settles: true })));
    await Promise.all(workers.map(({ ended }) => ended));
    const admitted = workers
      .flatMap(({ stdout }) => stdout)
      .flatMap((line) => Number(/"admitted":(\d+)/.exec(line)?.[1] ?? 0))
      .reduce((sum, one) => sum + one, 0);
    const connections = await sharedConnections(redis.url);
    const limiter = new RedisLimiter({ connections, ...LEASE });
    const views = await limiter.peek(owners);
    expect(admitted).toBeGreaterThan(100);
    expect(views.map(({ available }) => available)).toEqual([40, 10_000_000 - 100 * admitted]);
    await limiter.close();
    redis.client.disconnect();
  });
});
