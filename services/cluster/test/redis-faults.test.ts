import { setTimeout as wait } from 'node:timers/promises';
import { until } from '@nexus/testkit';
import { noRedis } from '@nexus/testkit/redis-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Allowance } from './allowance.ts';
import { Clients } from './clients.ts';
import { type Cluster, type Instance, PATIENT, startCluster } from './cluster.ts';
import { type Load, startLoad } from './load.ts';
import { textIn } from './record.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import { beginRun, type Run } from './run.ts';
import { sums } from './sums.ts';

const RATE = { amount: 20, burst: 20, periodMs: 1_000 };
/** Of this one in so many calls is a stream. */
const STREAM_EVERY = 8;
const CALLS_PER_SECOND = 40;
const TIMEOUT_MS = 300;

const settings = (word: string) => `
reserve: strict
redis: { command_timeout: ${TIMEOUT_MS}ms }
on_redis_failure: ${word}
limits:
  requests_per_second: { limit: ${RATE.amount}, burst: ${RATE.burst} }
  concurrent_requests: 90
  model_tokens_per_day: 1000000
`;

function limitOf(key: string): Allowance {
  return { limit: key, bound: RATE, unitsACall: 1, concerns: (call) => call.key === key };
}

/** JSON answers and streams of a second, in turn to every instance. */
function startMixedLoad({ instances }: Cluster, clients: Clients, key: string): Load {
  return startLoad(clients, CALLS_PER_SECOND, (index) => {
    const { url } = instances[index % instances.length] ?? { url: '' };
    const isStream = index % STREAM_EVERY === 0;
    void clients.send(url, isStream ? { key, tokens: 20, tokensPerSecond: 20 } : { key });
  });
}

const untilAll = ({ instances }: Cluster, status: string) =>
  until(
    async () => (await Promise.all(instances.map(({ health }) => health()))).every((is) => is === status),
    PATIENT,
  );

/** What an instance's log says of Redis, from a line on. */
function saidOfRedis(instance: Instance, from: number): string[] {
  return instance
    .log()
    .slice(from)
    .map((line) => textIn(line, 'message'))
    .filter((message) => message.startsWith('redis '));
}

/** Until every instance has let something through for the key, so that each has seen its buckets. */
const untilAllServed = ({ instances }: Cluster, { calls }: Clients) =>
  until(
    () => instances.every(({ url }) => calls.some((call) => call.url === url && call.end === 'whole')),
    PATIENT,
  );

function expectDecidedInTime(lines: Run['lines']): void {
  const alone = lines.filter(({ isAlone }) => isAlone).map(({ limiterMs }) => limiterMs);
  alone.sort((one, other) => one - other);
  expect(alone.length).toBeGreaterThan(0);
  // Those that wait when Redis falls silent wait for one time-out, the others not at all. A machine that stalls adds to it.
  expect(alone.at(-1)).toBeLessThan(TIMEOUT_MS + 2_000);
  expect(alone[alone.length >> 1]).toBeLessThan(TIMEOUT_MS / 2);
}

describe.skipIf(noRedis)('three gateways under load when their Redis', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ count: 3, settings: settings('local') });
  }, 120_000);
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  it.each(REDIS_FAULTS.map((fault) => [fault.name, fault] as const))(
    '%s: keep within their shares, lose no request, say so once, and come out even',
    async (name, { forgets = false, stays = false, strike }) => {
      await using clients = new Clients();
      const end = beginRun(cluster);
      const { instances } = cluster;
      const said = instances.map((instance) => instance.log().length);
      const key = `sk-${name.replaceAll(/\W+/g, '-')}`;
      const load = startMixedLoad(cluster, clients, key);
      await untilAllServed(cluster, clients);
      await wait(300);

      const fromMs = performance.now();
      const mend = await strike(cluster);
      if (stays) {
        const heard = () =>
          instances.every((instance, index) => saidOfRedis(instance, said[index] ?? 0).length > 0);
        await until(heard, PATIENT);
      } else {
        await untilAll(cluster, 'degraded');
        await wait(1_000);
      }
      await mend();
      await untilAll(cluster, 'ok');
      const toMs = performance.now();
      await wait(300);
      await load.end();

      const run = await end({
        calls: clients.calls,
        allowances: [limitOf(key)],
        outage: { fromMs, toMs, forgets },
      });
      expect(sums(run)).toEqual([]);
      for (const [index, instance] of instances.entries()) {
        const messages = saidOfRedis(instance, said[index] ?? 0);
        expect(messages.slice(0, 1)).toEqual([stays ? 'redis was emptied' : 'redis is away']);
        if (!stays) expect(messages).toEqual(inTurn(messages.length));
      }
      if (!stays) expectDecidedInTime(run.lines);
      // It went on all the time.
      const during = run.calls.filter(({ sentMs }) => sentMs > fromMs && sentMs < toMs);
      expect(during.filter((call) => call.end === 'whole').length).toBeGreaterThan(0);
    },
    90_000,
  );
});

/** One line a change: away and back, and so on. A machine that stalls can make a Redis seem away again. */
function inTurn(count: number): string[] {
  return Array.from({ length: count }, (_, index) => (index % 2 === 0 ? 'redis is away' : 'redis is back'));
}

describe.skipIf(noRedis)('two gateways told to close', () => {
  it('answer 503 while Redis is dead, end the streams that are under way, and open again by themselves', async () => {
    await using cluster = await startCluster({ count: 2, settings: settings('closed') });
    await using clients = new Clients();
    const end = beginRun(cluster);
    const key = 'sk-closed';
    const [one, other] = cluster.instances;
    if (!one || !other) throw new Error('no instances');
    const streams = [one, other].map(({ url }) =>
      clients.send(url, { key, tokens: 20, tokensPerSecond: 10 }),
    );
    await until(() => cluster.simulator.usageServed().answers === 2, PATIENT);
    const fromMs = performance.now();
    await cluster.redis.process.stop('SIGKILL');
    const load = startMixedLoad(cluster, clients, key);
    await untilAll(cluster, 'degraded');
    await until(() => clients.calls.length >= 20, PATIENT);
    await load.end();
    expect((await Promise.all(streams)).map((call) => call.end)).toEqual(['whole', 'whole']);
    const refused = clients.calls.filter((call) => call.end !== 'whole');
    expect(refused.length).toBeGreaterThanOrEqual(20);
    for (const call of refused) {
      expect(call).toMatchObject({ end: 'error', status: 503, code: 'limiter_unavailable' });
      expect(call.headers).toMatchObject({ 'x-nexus-source': 'nexus', 'retry-after': '1' });
    }
    expect(cluster.simulator.hits()).toBe(2);

    await cluster.restartRedis();
    await untilAll(cluster, 'ok');
    const toMs = performance.now();
    for (const { url } of [one, other])
      expect(await clients.send(url, { key })).toMatchObject({ end: 'whole' });
    const outage = { fromMs, toMs, forgets: true };
    expect(sums(await end({ calls: clients.calls, allowances: [limitOf(key)], outage }))).toEqual([]);
    for (const instance of cluster.instances) {
      const messages = saidOfRedis(instance, 0);
      expect(messages).toEqual(inTurn(messages.length));
    }
  }, 90_000);
});
