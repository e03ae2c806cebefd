import { setTimeout as wait } from 'node:timers/promises';
import { noRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { type Allowance, overIn } from './allowance.ts';
import { Clients } from './clients.ts';
import { startCluster } from './cluster.ts';
import { startLoad } from './load.ts';
import { beginRun } from './run.ts';
import { sums } from './sums.ts';

const KEY = 'sk-changed';
const HIGH = { amount: 30, burst: 30, periodMs: 1_000 };
const LOW = { amount: 10, burst: 10, periodMs: 1_000 };
const CALLS_PER_SECOND = 10 * HIGH.amount;

const settings = ({ amount, burst }: typeof HIGH) => `
reserve: strict
redis: { command_timeout: 2s }
limits:
  requests_per_second: { limit: ${amount}, burst: ${burst} }
  model_tokens_per_day: 1000000
`;

const allowance = (bound: typeof HIGH): Allowance => ({
  ...{ limit: KEY, bound, unitsACall: 1 },
  concerns: ({ key }) => key === KEY,
});

describe.skipIf(noRedis)(
  'a limit that is changed on one gateway after the other, under ten times as much',
  () => {
    it('is never exceeded: by no more than the larger while they differ, nor the smaller once all have it', async () => {
      await using cluster = await startCluster({ count: 3, settings: settings(HIGH) });
      await using clients = new Clients();
      const end = beginRun(cluster);
      const inUse = [...cluster.instances];
      const load = startLoad(clients, CALLS_PER_SECOND, (index) => {
        void clients.send(inUse[index % inUse.length]?.url ?? '', { key: KEY });
      });
      const changeAll = async (bound: typeof HIGH) => {
        for (const instance of [...inUse]) {
          await wait(300);
          await instance.configure(settings(bound));
        }
      };
      await wait(700);
      await changeAll(LOW);
      const lowMs = performance.now();
      await wait(1_200);
      const highMs = performance.now();
      await changeAll(HIGH);
      // One that comes with another limit, and stays.
      inUse.push(await cluster.start(settings(LOW)));
      await wait(1_000);
      await load.end();

      const run = await end({ calls: clients.calls, allowances: [allowance(HIGH)] });
      expect(sums(run)).toEqual([]);
      const low = run.calls.filter(({ sentMs, endedMs }) => sentMs > lowMs && endedMs < highMs);
      expect(low.length).toBeGreaterThan(0);
      expect(overIn(allowance(LOW), low)).toBe(0);
      // It was really another limit.
      expect(overIn(allowance(LOW), run.calls)).toBeGreaterThan(0);
    }, 90_000);
  },
);
