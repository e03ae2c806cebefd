import { setTimeout as wait } from 'node:timers/promises';
import { until } from '@nexus/testkit';
import { noRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import type { Allowance } from './allowance.ts';
import { Clients } from './clients.ts';
import { bucketsOf, type Cluster, type Instance, PATIENT, startCluster } from './cluster.ts';
import { startLoad } from './load.ts';
import { beginRun, redisSeen } from './run.ts';
import { sums } from './sums.ts';

const RATE = { amount: 20, burst: 20, periodMs: 1_000 };
const KEY = 'sk-ended';
const SLOTS = 60;

const SETTINGS = `
reserve: strict
redis: { command_timeout: 2s }
limits:
  requests_per_second: { limit: ${RATE.amount}, burst: ${RATE.burst} }
  concurrent_requests: ${SLOTS}
  model_tokens_per_day: 1000000
`;

const LIMIT: Allowance = { limit: KEY, bound: RATE, unitsACall: 1, concerns: ({ key }) => key === KEY };

/** How long a hold may live that nobody renews: a lease of 60 s, what is left of its slice of 15 s, and a second to spare. */
const HOLD_MS = 76_000;
/** A request's own key lives another lease, so that a late end finds it. */
const REQUEST_MS = HOLD_MS + 60_000;

/** JSON answers, and streams that last for seconds, in turn to every instance that is in use. */
function startStreamingLoad(clients: Clients, inUse: readonly Instance[]) {
  return startLoad(clients, 40, (index) => {
    const { url } = inUse[index % inUse.length] ?? { url: '' };
    void clients.send(url, index % 4 === 0 ? { key: KEY, tokens: 30, tokensPerSecond: 10 } : { key: KEY });
  });
}

async function timesToLive({ redis: { client } }: Cluster, open: ReadonlySet<string>): Promise<number[]> {
  return Promise.all([...open].map((id) => client.pttl(`{nexus}:r:${id}`)));
}

describe.skipIf(noRedis)('a gateway under load', () => {
  it(
    'that is killed at any moment leaves holds that end by themselves, and nothing else',
    async () => {
      await using cluster = await startCluster({ count: 3, settings: SETTINGS });
      await using clients = new Clients();
      const end = beginRun(cluster);
      const inUse = [...cluster.instances];
      const killed: Instance[] = [];
      const load = startStreamingLoad(clients, inUse);
      for (let place = 0; place < 2; place += 1) {
        const victim = inUse[place];
        if (!victim) throw new Error('no instance');
        await until(
          () => clients.calls.some(({ url, end: how }) => url === victim.url && how === 'whole'),
          PATIENT,
        );
        // Longer than all the rest, and under a limit of its own: there is something to break.
        const long = clients.send(victim.url, { key: `${KEY}-${place}`, tokens: 200, tokensPerSecond: 10 });
        const sentMs = performance.now();
        await until(
          () =>
            clients.calls.some(
              (call) => call.url === victim.url && call.sentMs > sentMs && call.end === 'whole',
            ),
          PATIENT,
        );
        await wait(Math.random() * 700);
        killed.push(victim);
        expect(await victim.process.stop('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
        expect((await long).end).toBe('broken');
        inUse[place] = await cluster.start();
      }
      await wait(500);
      await load.end();

      const run = await end({ calls: clients.calls, allowances: [LIMIT], killed });
      expect(sums(run)).toEqual([]);
      const broken = run.calls.filter((call) => call.end === 'broken');
      expect(broken.every(({ url }) => run.killed.has(url))).toBe(true);
      const { open } = run.redis;
      for (const ttlMs of await timesToLive(cluster, open)) {
        expect(ttlMs).toBeGreaterThan(0);
        expect(ttlMs).toBeLessThanOrEqual(REQUEST_MS);
      }
      // As many slots are held as requests are open, and by no others.
      expect(run.keys.reduce((sum, { slotsHeld }) => sum + slotsHeld, 0)).toBe(open.size);
      expect(open.size).toBeGreaterThanOrEqual(killed.length);
      if (process.env.NEXUS_SOAK_SECONDS !== undefined) await untilFree(cluster);
    },
    120_000 + HOLD_MS,
  );

  it('that is told to end lets its streams run out, and leaves nothing', async () => {
    await using cluster = await startCluster({ count: 2, settings: SETTINGS });
    await using clients = new Clients();
    const end = beginRun(cluster);
    const [ending, staying] = cluster.instances;
    if (!ending || !staying) throw new Error('no instances');
    const streams = Array.from({ length: 8 }, (_, index) =>
      clients.send((index % 2 === 0 ? ending : staying).url, { key: KEY, tokens: 30, tokensPerSecond: 15 }),
    );
    await until(() => cluster.simulator.usageServed().answers === streams.length, PATIENT);
    const ended = ending.process.stop('SIGTERM', 60_000);
    // The other one takes what comes.
    const load = startStreamingLoad(clients, [staying]);
    expect(await ended).toEqual({ code: 0, signal: null });
    await load.end();
    expect((await Promise.all(streams)).map((call) => call.end)).toEqual(streams.map(() => 'whole'));
    expect(sums(await end({ calls: clients.calls, allowances: [LIMIT] }))).toEqual([]);
    expect((await redisSeen(cluster)).open.size).toBe(0);
    // It has told the others that it is gone.
    expect(await cluster.redis.client.zcard('{nexus}:instances')).toBe(1);
  }, 90_000);
});

/** Until nothing is held, which takes as long as the leases of the dead. */
async function untilFree(cluster: Cluster): Promise<void> {
  const living = cluster.instances.at(-1);
  if (!living) throw new Error('no instance');
  await until(async () => (await bucketsOf(living, KEY)).get('concurrent_requests')?.available === SLOTS, {
    withinMs: HOLD_MS,
    everyMs: 500,
  });
}
