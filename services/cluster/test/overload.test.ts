import { noRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { type Allowance, usedOf } from './allowance.ts';
import { CALL_TOKENS, Clients } from './clients.ts';
import { startCluster } from './cluster.ts';
import { loadFor } from './load.ts';
import { beginRun } from './run.ts';
import { sums } from './sums.ts';

/** A longer run finds rarer things: `NEXUS_SOAK_SECONDS=60`. */
const SOAK_MS = Number(process.env.NEXUS_SOAK_SECONDS ?? 0) * 1_000;
const OWN_MS = SOAK_MS || 3_000;
const SHARED_MS = SOAK_MS || 2_000;

const KEY = { perSecond: 10, burst: 10 };
const TOKENS = { callsPerSecond: 5, burstCalls: 50 };
const MODEL = { perSecond: 8, burst: 8 };
/** More than all the others together. */
const GATEWAY = { perSecond: 30, burst: 80 };
const OVERLOAD = 10;

const SETTINGS = `
reserve: strict
redis: { command_timeout: 2s }
limits: { concurrent_requests: 200, model_tokens_per_day: 10000000 }
keys:
  - { id: own, key: sk-own, limits: { requests_per_second: { limit: ${KEY.perSecond}, burst: ${KEY.burst} } } }
  - { id: tokens, key: sk-tokens, limits: { model_tokens_per_minute: { limit: ${TOKENS.callsPerSecond * CALL_TOKENS * 60}, burst: ${TOKENS.burstCalls * CALL_TOKENS} } } }
  - { id: model, key: sk-model }
  - { id: all, key: sk-all }
models:
  gpt-4.1: { limits: { requests_per_second: { limit: ${MODEL.perSecond}, burst: ${MODEL.burst} } } }
gateway: { limits: { requests_per_second: { limit: ${GATEWAY.perSecond}, burst: ${GATEWAY.burst} } } }
`;

const perSecond = (amount: number, burst: number) => ({ amount, burst, periodMs: 1_000 });

const OWN: Allowance = {
  limit: 'key:own/requests_per_second',
  bound: perSecond(KEY.perSecond, KEY.burst),
  concerns: ({ key }) => key === 'sk-own',
  unitsACall: 1,
};
const OF_TOKENS: Allowance = {
  limit: 'key:tokens/model_tokens_per_minute',
  bound: perSecond(TOKENS.callsPerSecond * CALL_TOKENS, TOKENS.burstCalls * CALL_TOKENS),
  concerns: ({ key }) => key === 'sk-tokens',
  unitsACall: CALL_TOKENS,
};
const OF_MODEL: Allowance = {
  limit: 'model:gpt-4.1/requests_per_second',
  bound: perSecond(MODEL.perSecond, MODEL.burst),
  concerns: ({ model }) => model === 'gpt-4.1',
  unitsACall: 1,
};
const OF_GATEWAY: Allowance = {
  limit: 'gateway/requests_per_second',
  bound: perSecond(GATEWAY.perSecond, GATEWAY.burst),
  concerns: () => true,
  unitsACall: 1,
};
/** Calls of tokens that are held at once, at most: those under way, and those whose end is on its way to Redis. */
const HELD_CALLS = 40;

describe.skipIf(noRedis)('gateways on one Redis under ten times what they may let through', () => {
  it.each([1, 2, 4, 8])(
    'exceed no limit in any window, and use up all of each: %i of them',
    async (count) => {
      await using cluster = await startCluster({ count, settings: SETTINGS });
      await using clients = new Clients();
      const end = beginRun(cluster);
      const urls = cluster.instances.map(({ url }) => url);
      // Each in its turn, and each kind of call to every place.
      const place = (index: number) => urls[Math.floor(index / ASKS.length) % urls.length] ?? '';
      const own = KEY.perSecond + TOKENS.callsPerSecond + MODEL.perSecond;
      await loadFor(OWN_MS, clients, OVERLOAD * own, (index) => {
        const ask = ASKS[index % ASKS.length];
        if (ask) void clients.send(place(index), ask);
      });
      const shared = OVERLOAD * GATEWAY.perSecond;
      await loadFor(SHARED_MS, clients, shared, (index) => {
        void clients.send(urls[index % urls.length] ?? '', { key: 'sk-all' });
      });
      const { calls } = clients;
      const allowances = [OWN, OF_TOKENS, OF_MODEL, OF_GATEWAY];
      const run = await end({ calls, allowances });
      expect(sums(run)).toEqual([]);
      // A refusal that isn't Redis' own says nothing of Redis' bucket: only a machine that stalls for seconds leads to one.
      const isExact = run.lines.every(({ isAlone }) => !isAlone);
      for (const allowance of allowances) {
        const { units, due } = usedOf(allowance, calls, allowance === OF_TOKENS ? HELD_CALLS : 0);
        expect(calls.some(({ limit }) => limit === allowance.limit)).toBe(true);
        if (isExact) expect(units, allowance.limit).toBeGreaterThanOrEqual(due);
      }
      const admitted = calls.filter(({ end: how }) => how === 'whole').length;
      expect(calls.length).toBeGreaterThan(2 * admitted);
    },
    120_000 + 2 * SOAK_MS,
  );
});

const ASKS = [{ key: 'sk-own' }, { key: 'sk-tokens' }, { key: 'sk-model', model: 'gpt-4.1' }] as const;
