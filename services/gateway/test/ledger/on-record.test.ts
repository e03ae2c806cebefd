import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startSimulator } from '@nexus/simulator';
import { tempDir, until } from '@nexus/testkit';
import { noPostgres, startPostgres } from '@nexus/testkit/postgres-server';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type RunningGateway, startInFrontOf } from '../running-gateway.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const TOKEN = 'hidden-token-of-a-reader';
const PATIENT = { withinMs: 20_000 };

// Of months, so that hardly any test begins in one window and ends in the next.
const SETTINGS = `
gateway: { limits: { usd_per_month: 50 } }
models: { "gpt-*": { limits: { output_tokens_per_month: 100000 } } }
tiers: { small: { model_tokens_per_month: 10000 } }
teams:
  search:
    limits: { usd_per_month: 20, requests_per_month: 5, requests_per_second: 100 }
    features: { chat: { limits: { requests_per_month: 4 } } }
    customers: { tier: small }
keys:
  - { id: search-prod, key: sk-test-key, team: search, limits: { input_tokens_per_month: 5000 } }
admin: { listen: 127.0.0.1:0, tokens: [{ id: r, token: ${TOKEN}, scopes: [read] }] }
`;
const OWN = { 'x-nexus-customer': 'acme', 'x-nexus-feature': 'chat' };

async function upstream() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return simulator.url;
}

async function admin({ gateway }: RunningGateway, path: string) {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return JSON.parse(await (await fetch(`${gateway.adminUrl}/admin/v1/${path}`, { headers })).text());
}

const OWNERS = [
  'gateway',
  'model:gpt-*',
  'team:search',
  'feature:search/chat',
  'customer:search/acme',
  'key:search-prod',
];

/** What is used of each month's limit, by its name. */
async function used(running: RunningGateway): Promise<Record<string, number>> {
  const found: [string, number][] = [];
  for (const owner of OWNERS) {
    const { buckets } = await admin(running, `limits?owner=${encodeURIComponent(owner)}`);
    for (const { limit, used: units } of buckets)
      if (limit.endsWith('_per_month')) found.push([limit, units]);
  }
  return Object.fromEntries(found);
}

/** Calls, and waits until all are settled. */
async function call(running: RunningGateway, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const answer = await running.chat({}, OWN);
    expect(answer.status).toBe(200);
    await answer.text();
  }
  await until(() => running.gateway.underWay() === 0, PATIENT);
}

async function end({ gateway }: RunningGateway): Promise<void> {
  const ended = gateway.close(0);
  void gateway.close();
  await ended;
}

describe('one process with a ledger', () => {
  it('goes on after a restart with what is on record as used, of every limit by day and month', async () => {
    const [url, path] = [await upstream(), join(await tempDir(), 'ledger.db')];
    const settings = `ledger: { path: ${path} }\n${SETTINGS}`;
    const first = await startInFrontOf(url, settings);
    await call(first, 3);
    const before = await used(first);
    expect(Object.keys(before)).toHaveLength(7);
    expect(Object.values(before).every((units) => units > 0)).toBe(true);
    await end(first);
    const second = await startInFrontOf(url, settings);
    expect(await used(second)).toEqual(before);
    await call(second, 1);
    const refused = await second.chat({}, OWN);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-nexus-limit')).toBe('feature:search/chat/requests_per_month');
  });

  it('charges to a team what was spent in it, by a key that has moved since, and by one that is gone', async () => {
    const [url, path] = [await upstream(), join(await tempDir(), 'ledger.db')];
    const settings = (keys: string) => `
ledger: { path: ${path} }
teams:
  old: { limits: { requests_per_month: 10 } }
  new: { limits: { requests_per_month: 10 } }
keys: [${keys}]
admin: { listen: 127.0.0.1:0, tokens: [{ id: r, token: ${TOKEN}, scopes: [read] }] }
`;
    const moving = (team: string) => `{ id: moving, key: sk-test-key, team: ${team} }`;
    const first = await startInFrontOf(
      url,
      settings(`${moving('old')}, { id: gone, key: sk-gone, team: old }`),
    );
    await call(first, 2);
    await (await first.chat({}, { authorization: 'Bearer sk-gone' })).text();
    await until(() => first.gateway.underWay() === 0, PATIENT);
    await end(first);
    const second = await startInFrontOf(url, settings(moving('new')));
    const requests = async (team: string) =>
      (await admin(second, `limits?owner=team:${team}`)).buckets[0].used;
    expect([await requests('old'), await requests('new')]).toEqual([3, 0]);
  });

  it('begins without a ledger that it cannot read, and says so', async () => {
    const path = join(await tempDir(), 'ledger.db');
    writeFileSync(path, 'this is no database, and longer than the head of one would be '.repeat(40));
    chmodSync(path, 0o600);
    const running = await startInFrontOf(await upstream(), `ledger: { path: ${path} }\n${SETTINGS}`);
    expect(running.log.find(({ message }) => message === 'ledger cannot be read')).toBeDefined();
    expect((await running.chat({}, OWN)).status).toBe(200);
  });
});

describe.skipIf(noRedis ?? noPostgres)('instances whose Redis has lost its memory', () => {
  it('give back what PostgreSQL has on record, also of what no living instance has seen', async () => {
    const [redis, postgres, url] = [await startRedis(), await startPostgres(), await upstream()];
    onTestFinished(() => redis.client.disconnect());
    const settings = `redis_url: ${redis.url}\nledger: { postgres_url: "${postgres.url}" }\n${SETTINGS}`;
    const first = await startInFrontOf(url, settings);
    await call(first, 3);
    const before = await used(first);
    // Records wait in a stream until they are kept.
    await until(async () => (await admin(first, 'usage')).total.requests === 3, PATIENT);
    await end(first);
    await redis.client.flushall();
    const second = await startInFrontOf(url, settings);
    expect(await used(second)).toEqual(before);
    // A third one has asked for nobody yet.
    await end(second);
    const third = await startInFrontOf(url, settings);
    await redis.client.flushall();
    await until(() => third.log.some(({ message }) => message === 'redis was emptied'), PATIENT);
    await until(async () => JSON.stringify(await used(third)) === JSON.stringify(before), PATIENT);
  });
});
