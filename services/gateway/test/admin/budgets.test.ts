import { join } from 'node:path';
import { credentialHash } from '@nexus/config';
import { createKey, newKey } from '@nexus/keys';
import { SqliteKeyKeeper } from '@nexus/keys/sqlite';
import { tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type RunningGateway, requestLines, startWithSimulator } from '../running-gateway.ts';

vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000, everyMs: 20 };

const SETTINGS = `
admin:
  listen: 127.0.0.1:0
  tokens:
    - { id: reader, token: hidden-token-of-the-reader, scopes: [read] }
    - { id: ops, token: hidden-token-of-the-ops, scopes: [read, budgets] }
tiers: { small: { usd_per_day: 2 } }
gateway: { limits: { usd_per_month: 5000 } }
teams:
  search:
    limits: { usd_per_day: 0, usd_per_month: 100 }
    features: { autocomplete: { limits: { usd_per_day: 7 } } }
    customers: { tier: small }
  other: { limits: { usd_per_day: { limit: 5, shadow: true } } }
keys:
  - { id: one, key: sk-hidden-one, team: search }
  - { id: two, key: sk-hidden-two, limits: { usd_per_month: 3 } }
`;

type Running = Pick<RunningGateway, 'gateway' | 'chat'>;

async function ask(running: Running, method: string, path: string, body?: unknown, token = 'the-ops') {
  const answer = await fetch(`${running.gateway.adminUrl}/admin/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer hidden-token-of-${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

async function status(running: Running, headers = {}): Promise<number> {
  const answer = await running.chat({}, { authorization: 'Bearer sk-hidden-one', ...headers });
  await answer.text();
  return answer.status;
}

const SPENT = '/budgets/team:search/usd_per_day';

describe('a budget that is changed while Nexus runs', () => {
  it('frees its keys at once when it is raised, clamps when it is lowered, and is the file’s again when it is deleted', async () => {
    const running = await startWithSimulator(SETTINGS);
    expect(await status(running)).toBe(429);
    const raised = await ask(running, 'PUT', SPENT, { amount: 4 });
    expect([raised.status, raised.body]).toMatchObject([
      200,
      {
        limit: 'team:search/usd_per_day',
        amount: 4,
        used: 0,
        available: 4,
        configured: 0,
        change: { amount: 4, by: 'api:ops', until: null },
      },
    ]);
    expect(await status(running)).toBe(200);
    // The line is written once the call is settled.
    await requestLines(running, 2);
    const { body } = await ask(running, 'GET', '/budgets?owner=team:search');
    const { used, available } = body.budgets[0];
    expect(used).toBeGreaterThan(0);
    expect(available).toBeCloseTo(4 - used, 12);
    // Lowered below what is spent: nothing is left, and nothing that was spent is forgotten.
    expect((await ask(running, 'PUT', SPENT, { amount: '0.000000001' })).body.available).toBeLessThan(0);
    expect(await status(running)).toBe(429);
    expect((await ask(running, 'PUT', SPENT, { amount: 4 })).body.used).toBe(used);
    expect(await status(running)).toBe(200);
    const restored = await ask(running, 'DELETE', SPENT);
    expect(restored.body).toMatchObject({ amount: 0, configured: 0, change: null });
    expect(await status(running)).toBe(429);
    expect((await ask(running, 'DELETE', SPENT)).status).toBe(404);
  });

  it.each([
    ['gateway', 'usd_per_month'],
    ['team:search', 'usd_per_month'],
    ['feature:search/autocomplete', 'usd_per_day'],
    ['customer:search/a/b', 'usd_per_day'],
    ['key:two', 'usd_per_month'],
  ])('is that of %s by name, its other limits stay', async (owner, limit) => {
    const running = await startWithSimulator(SETTINGS);
    await ask(running, 'PUT', SPENT, { amount: 1000 });
    const isKey = owner.startsWith('key');
    const headers = {
      ...(isKey ? { authorization: 'Bearer sk-hidden-two' } : {}),
      'x-nexus-feature': 'autocomplete',
      'x-nexus-customer': 'a/b',
    };
    expect(await status(running, headers)).toBe(200);
    const path = `/budgets/${encodeURIComponent(owner)}/${limit}`;
    expect((await ask(running, 'PUT', path, { amount: 0 })).status).toBe(200);
    const refused = await running.chat({}, { authorization: 'Bearer sk-hidden-one', ...headers });
    expect([refused.status, refused.headers.get('x-nexus-limit')]).toEqual([429, `${owner}/${limit}`]);
    expect(JSON.parse(await refused.text())).toMatchObject({ error: { code: 'insufficient_quota' } });
    const { body } = await ask(running, 'GET', '/budgets');
    const shown = body.budgets.filter(({ change }: { change: object | null }) => change !== null);
    expect(shown.map((each: { limit: string }) => each.limit).sort()).toEqual(
      ['team:search/usd_per_day', `${owner}/${limit}`].sort(),
    );
    const own = await fetch(`${running.url}/nexus/limits?feature=autocomplete&customer=a/b`, {
      headers: { authorization: 'Bearer sk-hidden-one', ...headers },
    });
    expect(await own.text()).toContain(
      `"limit":"${owner}/${limit}","kind":"calendar","counts":"usd","amount":0,`,
    );
  });

  it('outlives another configuration, shows what that says, and does nothing once its budget is gone', async () => {
    const running = await startWithSimulator(SETTINGS);
    await ask(running, 'PUT', SPENT, { amount: 4 });
    running.configure((text) => text.replace('usd_per_day: 0', 'usd_per_day: 1'));
    running.gateway.reload();
    expect((await ask(running, 'GET', '/budgets?owner=team:search')).body.budgets[0]).toMatchObject({
      amount: 4,
      configured: 1,
    });
    running.configure((text) => text.replace('usd_per_day: 1,', ''));
    running.gateway.reload();
    expect(await status(running)).toBe(200);
    const { body } = await ask(running, 'GET', '/budgets');
    expect(body.idle_changes).toMatchObject([
      { budget: 'team:search/usd_per_day', change: { amount: 4, by: 'api:ops' } },
    ]);
    expect((await ask(running, 'PUT', SPENT, { amount: 9 })).status).toBe(404);
    expect(await ask(running, 'DELETE', SPENT)).toMatchObject({ status: 200, body: { change: null } });
    expect((await ask(running, 'GET', '/budgets')).body.idle_changes).toEqual([]);
  });

  it('is that of an issued key, and its team’s list names that key', async () => {
    const path = join(await tempDir(), 'nexus.db');
    const running = await startWithSimulator(`ledger: { path: ${path} }\n${SETTINGS}`);
    const keeper = new SqliteKeyKeeper(path);
    onTestFinished(() => keeper.close());
    const key = newKey();
    const wanted = { id: 'three', hash: credentialHash(key), tier: 'small' };
    await createKey(keeper, wanted, { by: 'cli:x', nowMs: Date.now() });
    await createKey(
      keeper,
      { id: 'four', hash: 'ab'.repeat(32), team: 'search' },
      { by: 'cli:x', nowMs: Date.now() },
    );
    const own = { authorization: `Bearer ${key}` };
    await until(async () => (await status(running, own)) === 200, PATIENT);
    await ask(running, 'PUT', '/budgets/key:three/usd_per_day', { amount: 0 });
    expect(await status(running, own)).toBe(429);
    const names = async (path: string, of: string) =>
      (await ask(running, 'GET', path)).body[of].map(({ limit }: { limit: string }) => limit);
    expect(await names('/budgets', 'budgets')).toContain('key:three/usd_per_day');
    await until(
      async () => (await ask(running, 'GET', '/teams')).body.teams[0].keys.join() === 'four,one',
      PATIENT,
    );
  });

  it('needs the scope budgets, an amount that can be, and a budget that is there', async () => {
    const running = await startWithSimulator(SETTINGS);
    expect((await ask(running, 'PUT', SPENT, { amount: 4 }, 'the-reader')).status).toBe(403);
    expect((await ask(running, 'DELETE', SPENT, undefined, 'the-reader')).status).toBe(403);
    const bad = [
      {},
      { amount: -1 },
      { amount: null },
      { amount: 1e9 },
      { amount: '1e3' },
      { amount: 0.1234567891 },
      { amount: [4] },
      { amount: 4, until: '2020-01-01' },
      { amount: 4, until: 4 },
      { amount: 4, more: 1 },
      [4],
    ];
    for (const body of bad)
      expect((await ask(running, 'PUT', SPENT, body)).status, JSON.stringify(body)).toBe(400);
    const paths = [
      '/budgets/team:search/requests_per_day',
      '/budgets/team:nobody/usd_per_day',
      '/budgets/key:two/usd_per_day',
      '/budgets/__proto__/constructor',
      '/budgets/customer:nobody%2Fx/usd_per_day',
    ];
    for (const path of paths)
      for (const [method, body] of [['PUT', { amount: 4 }], ['DELETE']] as const) {
        const answer = await ask(running, method, path, body);
        expect([answer.status, answer.body.detail], path).toEqual([
          404,
          expect.stringContaining('gives no such budget'),
        ]);
      }
    const tried = await ask(running, 'PUT', '/budgets/team:other/usd_per_day', { amount: 4 });
    expect([tried.status, tried.body.detail]).toEqual([409, expect.stringContaining('only tried')]);
    expect((await ask(running, 'GET', '/budgets?owner=team:nobody')).status).toBe(404);
    expect(await status(running)).toBe(429);
    expect((await ask(running, 'GET', '/audit')).body.records).toEqual([]);
  });

  it('leaves a record of who changed what from what to what', async () => {
    const running = await startWithSimulator(SETTINGS);
    await ask(running, 'PUT', SPENT, { amount: 4 });
    await ask(running, 'PUT', SPENT, { amount: 6, until: '2400-01-01T00:00:00Z' });
    await ask(running, 'DELETE', SPENT);
    const { body } = await ask(running, 'GET', '/audit');
    const seen = { amount_usd: 6, source: 'change', until: '2400-01-01T00:00:00.000Z' };
    const first = { amount_usd: 0, source: 'configuration', until: null };
    const second = { amount_usd: 4, source: 'change', until: null };
    expect(body.records).toMatchObject([
      { action: 'budget restored', before: seen, after: first },
      { action: 'budget changed', before: second, after: seen },
      {
        action: 'budget changed',
        by: 'api:ops',
        subject: 'team:search/usd_per_day',
        before: first,
        after: second,
      },
    ]);
    expect(running.logText()).toContain('"message":"budget changed"');
    expect(JSON.stringify(body) + running.logText()).not.toContain('hidden');
  });
});

describe('a changed budget', () => {
  it('outlives the process', async () => {
    const path = join(await tempDir(), 'nexus.db');
    const settings = `ledger: { path: ${path} }\n${SETTINGS}`;
    const first = await startWithSimulator(settings);
    await ask(first, 'PUT', SPENT, { amount: 4 });
    const ended = first.gateway.close(0);
    void first.gateway.close();
    await ended;
    expect(await status(await startWithSimulator(settings))).toBe(200);
  });

  it.skipIf(noRedis)(
    'holds in every gateway of a Redis soon after, and goes back into one that lost it',
    async () => {
      const redis = await startRedis();
      await redis.client.connect();
      onTestFinished(async () => {
        redis.client.disconnect();
        await redis.process.stop();
      });
      const settings = `redis_url: ${redis.url}\n${SETTINGS}`;
      const [one, two] = [await startWithSimulator(settings), await startWithSimulator(settings)];
      expect([await status(one), await status(two)]).toEqual([429, 429]);
      await ask(one, 'PUT', SPENT, { amount: 4 });
      expect(await status(one)).toBe(200);
      await until(async () => (await status(two)) === 200, PATIENT);
      await redis.client.flushall();
      await until(async () => (await redis.client.hlen('{nexus}:keys')) === 1, PATIENT);
      expect([await status(one), await status(two)]).toEqual([200, 200]);
      await ask(two, 'DELETE', SPENT);
      await until(async () => (await status(one)) === 429, PATIENT);
    },
  );
});
