import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';

const READER = 'hidden-token-of-the-reader';
const KEEPER = 'hidden-token-of-the-keeper';
const SETTINGS = `
admin:
  listen: 127.0.0.1:0
  tokens: [{ id: reader, token: ${READER}, scopes: [read] }, { id: keeper, token: ${KEEPER}, scopes: [keys] }]
limits: { requests_per_day: 100 }
gateway: { limits: { usd_per_month: 50 } }
tiers: { free: { requests_per_day: 2 } }
teams: { search: { limits: { usd_per_day: 5, requests_per_day: 10 }, customers: { tier: free } } }
keys: [{ id: one, key: sk-hidden-one, team: search }, { id: two, key: sk-hidden-two, upstream_key: sk-hidden-up }]
`;

type Running = Awaited<ReturnType<typeof startWithSimulator>>;

async function ask(running: Running, path: string, token?: string, init: RequestInit = {}) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${running.gateway.adminUrl}${path}`, {
    ...init,
    headers: { ...headers, ...init.headers },
  });
  return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) };
}

describe('the admin API', () => {
  it('shows what holds and what is left, to those who may read', async () => {
    const running = await startWithSimulator(SETTINGS);
    await (
      await running.chat({}, { authorization: 'Bearer sk-hidden-one', 'x-nexus-customer': 'acme' })
    ).text();
    const teams = await ask(running, '/admin/v1/teams', READER);
    expect(teams.body.teams).toMatchObject([
      {
        name: 'search',
        keys: ['one'],
        buckets: [{ limit: 'team:search/requests_per_day', used: 1 }, { limit: 'team:search/usd_per_day' }],
      },
    ]);
    const budgets = await ask(running, '/admin/v1/budgets', READER);
    expect(budgets.body.budgets.map(({ limit }: { limit: string }) => limit)).toEqual([
      'gateway/usd_per_month',
      'team:search/usd_per_day',
    ]);
    const customer = await ask(running, '/admin/v1/limits?owner=customer:search/acme', READER);
    expect(customer.body.buckets).toMatchObject([
      { limit: 'customer:search/acme/requests_per_day', used: 1, size: 2 },
    ]);
    expect((await ask(running, '/admin/v1/limits', READER)).body.buckets.length).toBe(5);
    const config = await ask(running, '/admin/v1/config', READER);
    expect(config.body.keys).toEqual([
      { id: 'one', team: 'search', tier: null, expires: null },
      { id: 'two', team: null, tier: null, expires: null },
    ]);
    expect(JSON.stringify([teams, budgets, customer, config])).not.toContain('hidden');
    expect(config.headers.get('cache-control')).toBe('no-store');
  });

  it('is closed to those without a token for it, and says what is missing', async () => {
    const running = await startWithSimulator(SETTINGS);
    const unknown = await ask(running, '/admin/v1/config', 'hidden-and-wrong-altogether');
    expect([unknown.status, unknown.headers.get('content-type')]).toEqual([
      401,
      'application/problem+json; charset=utf-8',
    ]);
    expect(unknown.headers.get('www-authenticate')).toBe('Bearer');
    expect((await ask(running, '/admin/v1/config')).status).toBe(401);
    const other = await ask(running, '/admin/v1/config', KEEPER);
    expect([other.status, other.body.detail]).toEqual([403, 'The token "keeper" lacks the scope "read".']);
    const closed = await startWithSimulator('admin: { listen: 127.0.0.1:0 }');
    expect((await ask(closed, '/admin/v1/config', READER)).body.detail).toContain('lists no `admin.tokens`');
  });

  it('slows down those who guess, and their own right token with them', async () => {
    const running = await startWithSimulator(SETTINGS);
    const statuses = [];
    for (let count = 0; count < 12; count += 1)
      statuses.push((await ask(running, '/admin/v1/config', `wrong-${count}`)).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    const late = await ask(running, '/admin/v1/config', READER);
    expect(late.status).toBe(429);
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask(running, '/health')).status).toBe(200);
  });

  it('answers what it does not know with a problem, and nothing outside the admin address', async () => {
    const running = await startWithSimulator(SETTINGS);
    for (const path of ['/admin', '/admin/v1/nothing', '/admin/v1/config/x'])
      expect((await ask(running, path, READER)).status).toBe(404);
    expect((await ask(running, '/admin/v1/limits?owner=team:nobody', READER)).status).toBe(404);
    const outside = await fetch(`${running.url}/admin/v1/config`, {
      headers: { authorization: `Bearer ${READER}` },
    });
    expect(outside.status).toBe(401);
    expect((await outside.text()).includes('invalid_api_key')).toBe(true);
  });

  it('says what may be done where something else was asked for', async () => {
    const running = await startWithSimulator(SETTINGS);
    const patched = await ask(running, '/admin/v1/keys', KEEPER, { method: 'PATCH' });
    expect([patched.status, patched.headers.get('allow'), patched.body.status]).toEqual([
      405,
      'GET, HEAD, POST',
      405,
    ]);
    const deleted = await ask(running, '/admin/v1/config', READER, { method: 'DELETE' });
    expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('refuses a query with a slip in it, rather than answer for everything', async () => {
    const running = await startWithSimulator(SETTINGS);
    for (const query of [
      'limits?ownr=team:search',
      'limits?owner=gateway&owner=team:search',
      'config?all=1',
    ]) {
      const answer = await ask(running, `/admin/v1/${query}`, READER);
      expect([query, answer.status, answer.headers.get('content-type')]).toEqual([
        query,
        400,
        'application/problem+json; charset=utf-8',
      ]);
    }
    expect((await ask(running, '/admin/v1/limits?owner=team:search', READER)).status).toBe(200);
  });

  it('takes a token over from a changed configuration', async () => {
    const running = await startWithSimulator(SETTINGS);
    running.configure((text) => text.replace(READER, 'another-hidden-token-of-them'));
    running.gateway.reload();
    expect((await ask(running, '/admin/v1/config', READER)).status).toBe(401);
    expect((await ask(running, '/admin/v1/config', 'another-hidden-token-of-them')).status).toBe(200);
  });

  it('is described, every route of it, by OpenAPI', async () => {
    const running = await startWithSimulator(SETTINGS);
    const { body } = await ask(running, '/admin/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    expect(await new Validator().validate(body)).toMatchObject({ valid: true });
    const usage = body.paths['/admin/v1/usage'].get.responses['2XX'].content;
    expect(Object.keys(usage)).toEqual(['application/json', 'text/csv']);
    for (const [path, operations] of Object.entries<
      Record<string, { parameters: { name: string; in: string }[] }>
    >(body.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const filled = path.replaceAll(/\{\w+\}/g, 'x');
        const { status } = await ask(running, filled, undefined, { method: method.toUpperCase() });
        expect(status, `${method} ${path}`).toBe(status === 429 ? 429 : 401);
        const names = operation.parameters
          .filter((each) => each.in === 'path')
          .map(({ name }) => `{${name}}`);
        expect(path.match(/\{\w+\}/g) ?? []).toEqual(names);
      }
    }
  });
});
