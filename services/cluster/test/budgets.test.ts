import { noRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it } from 'vitest';
import { type Ask, type Call, Clients, PROMPT_TOKENS } from './clients.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { textIn } from './record.ts';
import { beginRun, type Run } from './run.ts';
import { sums } from './sums.ts';

/** Nano-dollars a token: ten dollars for a million in, twenty for a million out. */
const PRICE = { input: 10_000, output: 20_000 };
const TOKENS = 100;
const CALL_NANO_USD = PROMPT_TOKENS * PRICE.input + TOKENS * PRICE.output;
const CALLS = 200;

/** Budgets of which each is asked for more than it has. */
const BUDGETS = {
  'team:search/usd_per_day': 200_000_000,
  'key:one/usd_per_day': 60_000_000,
  'customer:search/heavy/usd_per_day': 22_000_000,
} as const;

const usd = (nanoUsd: number) => nanoUsd / 1e9;

const settings = (reserve: 'strict' | 'learned') => `
reserve: ${reserve}
redis: { command_timeout: 2s }
on_redis_failure: closed
prices: { plain: { input_usd_per_million: 10, output_usd_per_million: 20 } }
tiers:
  free: { usd_per_day: ${usd(BUDGETS['customer:search/heavy/usd_per_day'])} }
teams:
  search:
    limits: { usd_per_day: ${usd(BUDGETS['team:search/usd_per_day'])} }
    customers: { tier: free }
keys:
  - { id: one, key: sk-one, team: search, limits: { usd_per_day: ${usd(BUDGETS['key:one/usd_per_day'])} } }
  - { id: two, key: sk-two, team: search }
`;

/** Who a call of this number is for: a quarter for one customer, the others for many, and half of all with the key that has a budget. */
const whose = (index: number) => ({
  key: Math.floor(index / 4) % 2 === 0 ? 'sk-one' : 'sk-two',
  customer: index % 4 === 0 ? 'heavy' : `light-${index % 40}`,
});

/** The budgets that a call is charged to, of those above. */
function chargedTo({ key, customer }: Ask): (keyof typeof BUDGETS)[] {
  return [
    'team:search/usd_per_day',
    ...(key === 'sk-one' ? (['key:one/usd_per_day'] as const) : []),
    ...(customer === 'heavy' ? (['customer:search/heavy/usd_per_day'] as const) : []),
  ];
}

/** Sends so many at once, to the gateways in turn; gives back what each was for, with how it ended. */
function sendAtOnce(cluster: Cluster, clients: Clients, count: number, ask: (index: number) => Partial<Ask>) {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const what: Ask = { model: 'plain', tokens: TOKENS, ...whose(index), ...ask(index) };
      const url = cluster.instances[index % cluster.instances.length]?.url ?? '';
      return { ask: what, call: await clients.send(url, what) };
    }),
  );
}

type Sent = Awaited<ReturnType<typeof sendAtOnce>>[number];

const costOf = ({ end, tokens }: Call) =>
  end === 'whole' ? PROMPT_TOKENS * PRICE.input + (tokens - PROMPT_TOKENS) * PRICE.output : 0;

/** What was spent of each budget, by the usage that clients were told. */
function spent(sent: readonly Sent[]): Map<keyof typeof BUDGETS, number> {
  const sum = new Map<keyof typeof BUDGETS, number>();
  for (const { ask, call } of sent)
    for (const budget of chargedTo(ask)) sum.set(budget, (sum.get(budget) ?? 0) + costOf(call));
  return sum;
}

const servedNanoUsd = ({ served }: Run) =>
  served.promptTokens * PRICE.input + served.completionTokens * PRICE.output;

describe.skipIf(noRedis)(
  '200 calls at once, for a team, a key and a customer that each have a budget',
  () => {
    it('spend no more than each has where all that they may cost is reserved, and in the end all of it', {
      timeout: 120_000,
    }, async () => {
      await using cluster = await startCluster({ count: 3, settings: settings('strict') });
      await using clients = new Clients();
      const end = beginRun(cluster);
      // Some state more than they use, some come as streams.
      const sent = await sendAtOnce(cluster, clients, CALLS, (index) => ({
        ...(index % 3 === 0 ? { states: 4 * TOKENS } : {}),
        ...(index % 5 === 0 ? { tokensPerSecond: 2_000 } : {}),
      }));
      for (const [budget, nanoUsd] of spent(sent))
        expect(nanoUsd, budget).toBeLessThanOrEqual(BUDGETS[budget]);
      // What was reserved in vain is there for others.
      for (let turn = 0; turn < 2; turn += 1)
        sent.push(...(await sendAtOnce(cluster, clients, CALLS, () => ({}))));
      const run = await end({ calls: clients.calls, allowances: [] });
      expect(sums(run)).toEqual([]);
      const inAll = spent(sent);
      for (const budget of Object.keys(BUDGETS).filter(isBudget)) {
        expect(inAll.get(budget), budget).toBeLessThanOrEqual(BUDGETS[budget]);
        expect(inAll.get(budget), budget).toBeGreaterThan(BUDGETS[budget] - CALL_NANO_USD);
        expect(clients.calls.some(({ limit }) => limit === budget)).toBe(true);
      }
      expect(servedNanoUsd(run)).toBe(inAll.get('team:search/usd_per_day'));
    });

    it('spend beyond a budget no more than their answers were longer than what was learned, and nobody else anything after that', {
      timeout: 120_000,
    }, async () => {
      await using cluster = await startCluster({ count: 3, settings: settings('learned') });
      await using clients = new Clients();
      const end = beginRun(cluster);
      // None states its length, and each is three times as long as what is expected of a new key; they are under way at once.
      const sent = await sendAtOnce(cluster, clients, CALLS, () => ({
        ...{ tokens: 3_000, states: 'nothing', latencyMs: 500 },
      }));
      const run = await end({ calls: clients.calls, allowances: [] });
      expect(sums(run)).toEqual([]);
      const held = heldNanoUsd(cluster);
      const budget = 'team:search/usd_per_day';
      const through = sent.filter(({ call }) => call.end === 'whole');
      const beyond = through.reduce(
        (sum, { call }) => sum + Math.max(0, costOf(call) - (held.get(call.id) ?? 0)),
        0,
      );
      expect(through.length).toBeGreaterThan(0);
      expect(servedNanoUsd(run)).toBe(spent(sent).get(budget));
      expect(servedNanoUsd(run)).toBeLessThanOrEqual(BUDGETS[budget] + beyond);
      const small = { key: 'sk-two', customer: 'another', tokens: 1 };
      const after = await sendAtOnce(cluster, clients, 6, () => small);
      const hasRoom = servedNanoUsd(run) < BUDGETS[budget];
      expect(after.every(({ call }) => call.limit === budget)).toBe(!hasRoom);
    });
  },
);

function isBudget(name: string): name is keyof typeof BUDGETS {
  return Object.hasOwn(BUDGETS, name);
}

/** What was reserved for each call that was let through, by its id, from the logs. */
function heldNanoUsd({ instances }: Cluster): Map<string, number> {
  const lines = instances.flatMap(({ log }) => log()).filter(({ decision }) => decision === 'admitted');
  return new Map(
    lines.map((line) => [
      textIn(line, 'upstream_request_id') || textIn(line, 'request_id'),
      Number(line.estimated_input_tokens) * PRICE.input + Number(line.estimated_output_tokens) * PRICE.output,
    ]),
  );
}
