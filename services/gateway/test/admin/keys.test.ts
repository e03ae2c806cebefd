import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RunningGateway, startWithSimulator } from '../running-gateway.ts';

const READER = 'hidden-token-of-the-reader';
const KEEPER = 'hidden-token-of-the-keeper';
const SETTINGS = `
admin:
  listen: 127.0.0.1:0
  tokens: [{ id: reader, token: ${READER}, scopes: [read] }, { id: keeper, token: ${KEEPER}, scopes: [keys, read] }]
tiers: { free: { requests_per_day: 2 } }
teams: { search: { limits: { requests_per_day: 10 } } }
keys: [{ id: listed, key: sk-hidden-one, team: search }]
`;
const PATIENT = { withinMs: 20_000, everyMs: 20 };

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

async function ask(
  { gateway }: RunningGateway,
  method: string,
  path: string,
  body?: unknown,
  token = KEEPER,
): Promise<Answer> {
  const answer = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, type: answer.headers.get('content-type'), text, body: JSON.parse(text) };
}

async function status({ url }: RunningGateway, key: unknown): Promise<number> {
  const answer = await fetch(`${url}/nexus/limits`, { headers: { authorization: `Bearer ${key}` } });
  await answer.text();
  return answer.status;
}

async function onFile(): Promise<RunningGateway & { readonly path: string }> {
  const path = join(await tempDir(), 'nexus.db');
  return Object.assign(await startWithSimulator(`ledger: { path: ${path} }\n${SETTINGS}`), { path });
}

describe('keys in the admin API', () => {
  it('are created, listed, rotated and revoked, and hold at once on the instance that was asked', async () => {
    const running = await onFile();
    const wish = { id: 'app-2', team: 'search', tier: 'free', models: ['gpt-4o*'], expires: '90d' };
    const created = await ask(running, 'POST', '/admin/v1/keys', wish);
    expect(created).toMatchObject({
      status: 201,
      body: {
        id: 'app-2',
        status: 'active',
        source: 'issued',
        created_by: 'api:keeper',
        models: ['gpt-4o*'],
      },
    });
    expect(await status(running, created.body.key)).toBe(200);
    const limits = await ask(running, 'GET', '/admin/v1/limits?owner=key:app-2', undefined, READER);
    expect(limits.body).toMatchObject({ buckets: [{ limit: 'key:app-2/requests_per_day', size: 2 }] });
    const rotated = await ask(running, 'POST', '/admin/v1/keys/app-2/rotate', { overlap: '1h' });
    expect(rotated.status).toBe(200);
    for (const key of [created.body.key, rotated.body.key]) expect(await status(running, key)).toBe(200);
    const list = await ask(running, 'GET', '/admin/v1/keys', undefined, READER);
    expect(list.body).toMatchObject({
      keys: [
        { id: 'app-2', status: 'active', earlier_secrets_until: [expect.any(String)] },
        { id: 'listed', source: 'listed', team: 'search' },
      ],
      next: null,
      store: 'ok',
    });
    expect((await ask(running, 'GET', '/admin/v1/keys?after=app-2')).body.keys).toHaveLength(1);
    expect((await ask(running, 'GET', '/admin/v1/keys?team=other')).body.keys).toHaveLength(0);
    expect((await ask(running, 'DELETE', '/admin/v1/keys/app-2')).body.status).toBe('revoked');
    for (const key of [created.body.key, rotated.body.key]) expect(await status(running, key)).toBe(401);

    const audit = await ask(running, 'GET', '/admin/v1/audit', undefined, READER);
    expect(audit.body.records).toMatchObject([
      { action: 'key revoked', by: 'api:keeper', subject: 'key:app-2', before: { revoked: null } },
      { action: 'key rotated' },
      { action: 'key created', before: null, after: { team: 'search', tier: 'free' } },
    ]);
    const lines = running.log.filter(({ message }) => String(message).startsWith('key '));
    expect(lines).toMatchObject([
      {
        message: 'key created',
        by: 'api:keeper',
        owner: 'key:app-2',
        after: { id: 'app-2', team: 'search' },
      },
      { message: 'key rotated' },
      { message: 'key revoked' },
    ]);
    const files = ['', '-wal'].map((end) => readFileSync(running.path + end, 'latin1')).join('');
    const all = [running.logText(), list.text, audit.text, files].join('\n');
    for (const secret of [created.body.key, rotated.body.key])
      expect(all).not.toContain(String(secret).slice(4, 20));
    for (const token of [READER, KEEPER, 'sk-hidden-one']) expect(all).not.toContain(token);
    expect(list.text + audit.text + running.logText()).not.toMatch(/[0-9a-f]{64}/);
  });

  it('refuse every wish that is not one, field by field, without repeating it', async () => {
    const running = await onFile();
    const wishes: readonly (readonly [unknown, RegExp])[] = [
      [{}, /^id is not/],
      [{ id: '' }, /^id is not/],
      [{ id: 7 }, /^id is not/],
      [{ id: 'ключ' }, /^id is not/],
      [{ id: 'a\u0000b' }, /^id is not/],
      [{ id: 'x'.repeat(65) }, /^id is not/],
      [{ id: '__proto__' }, /^id is not/],
      [{ id: { toString: 'a' } }, /^id is not/],
      [{ id: 'key-0123456789ab' }, /^id has the form/],
      [{ id: 'listed' }, /^id is that of a key/],
      [{ id: 'a', team: 'nobody' }, /^team names no/],
      [{ id: 'a', team: '__proto__' }, /^team names no/],
      [{ id: 'a', team: ['search'] }, /^team names no/],
      [{ id: 'a', team: null }, /^team names no/],
      [{ id: 'a', tier: 'constructor' }, /^tier names no/],
      [{ id: 'a', tier: 1 }, /^tier names no/],
      [{ id: 'a', models: [] }, /^models is not/],
      [{ id: 'a', models: 'gpt-4o' }, /^models is not/],
      [{ id: 'a', models: ['gpt-4o', 7] }, /^models is not/],
      [{ id: 'a', models: ['a b'] }, /^models is not/],
      [{ id: 'a', models: Array(101).fill('m') }, /^models is not/],
      [{ id: 'a', expires: 'soon' }, /^expires is neither/],
      [{ id: 'a', expires: '2020-01-01' }, /^expires is neither/],
      [{ id: 'a', expires: '2027-02-30' }, /^expires is neither/],
      [{ id: 'a', expires: '999999999d' }, /^expires is neither/],
      [{ id: 'a', expires: '0s' }, /^expires is neither/],
      [{ id: 'a', expires: 90 }, /^expires is neither/],
      [{ id: 'a', hash: 'x' }, /^there are other fields/],
      ['{"id":"a","__proto__":{"team":"search"}}', /^there are other fields/],
      ['{"id":"a","constructor":1}', /^there are other fields/],
      ['[]', /^the body is not/],
      ['"a"', /^The body is not/],
      ['{', /^The body is not/],
      [`${'['.repeat(20_000)}${']'.repeat(20_000)}`, /^the body is not/],
      [{ id: 'a', team: 'nobody', tier: 'nothing', expires: 'x' }, /^team .*; tier .*; expires /],
    ];
    for (const [wish, detail] of wishes) {
      const answer = await ask(running, 'POST', '/admin/v1/keys', wish);
      const what = JSON.stringify(wish).slice(0, 80);
      expect([what, answer.status, answer.type]).toEqual([
        what,
        400,
        'application/problem+json; charset=utf-8',
      ]);
      expect(answer.body.detail, what).toMatch(detail);
    }
    expect((await ask(running, 'POST', '/admin/v1/keys', `{"id":"${'x'.repeat(70_000)}"}`)).status).toBe(413);
    expect((await ask(running, 'GET', '/admin/v1/keys')).body.keys).toHaveLength(1);
    expect((await ask(running, 'GET', '/admin/v1/audit')).body.records).toEqual([]);
  });

  it('say what stands against a change', async () => {
    const running = await onFile();
    const create = (id: string) => ask(running, 'POST', '/admin/v1/keys', { id });
    expect((await create('a')).status).toBe(201);
    expect((await create('a')).status).toBe(409);
    for (const [method, path, wanted] of [
      ['POST', '/admin/v1/keys/nobody/rotate', 404],
      ['DELETE', '/admin/v1/keys/nobody', 404],
      ['DELETE', '/admin/v1/keys/__proto__', 404],
      ['DELETE', '/admin/v1/keys/%D0%BA%D0%BB%D1%8E%D1%87', 404],
      ['DELETE', '/admin/v1/keys/%E0%A4%A', 400],
      ['DELETE', '/admin/v1/keys/listed', 409],
      ['POST', '/admin/v1/keys/listed/rotate', 409],
      ['DELETE', '/admin/v1/keys/a', 200],
      ['DELETE', '/admin/v1/keys/a', 409],
      ['POST', '/admin/v1/keys/a/rotate', 409],
    ] as const) {
      const answer = await ask(running, method, path, method === 'POST' ? {} : undefined);
      expect([path, answer.status]).toEqual([path, wanted]);
    }
    for (const overlap of ['x', '', '91d', '-1s', 5, null]) {
      const answer = await ask(running, 'POST', '/admin/v1/keys/a/rotate', { overlap });
      expect([overlap, answer.status]).toEqual([overlap, 400]);
    }
    for (const [method, path] of [
      ['POST', '/admin/v1/keys'],
      ['POST', '/admin/v1/keys/a/rotate'],
      ['DELETE', '/admin/v1/keys/a'],
    ] as const)
      expect((await ask(running, method, path, { id: 'b' }, READER)).status).toBe(403);
  });

  it.skipIf(noRedis)('hold on other instances soon, and say it where Redis is away', async () => {
    const redis = await startRedis();
    onTestFinished(async () => {
      redis.client.disconnect();
      await redis.process.stop();
    });
    await redis.client.connect();
    const settings = `redis_url: ${redis.url}\n${SETTINGS}`;
    const [one, two] = [await startWithSimulator(settings), await startWithSimulator(settings)];
    const created = await ask(one, 'POST', '/admin/v1/keys', { id: 'app' });
    await until(async () => (await status(two, created.body.key)) === 200, PATIENT);
    const taken = await ask(two, 'POST', '/admin/v1/keys', { id: 'app' });
    expect(taken.status).toBe(409);
    expect((await ask(two, 'DELETE', '/admin/v1/keys/app')).status).toBe(200);
    await until(async () => (await status(one, created.body.key)) === 401, PATIENT);
    const stored = await Promise.all(
      (await redis.client.keys('*')).map(async (key) => {
        const type = await redis.client.type(key);
        if (type === 'hash') return JSON.stringify(await redis.client.hgetall(key));
        return type === 'list' ? (await redis.client.lrange(key, 0, -1)).join() : key;
      }),
    );
    expect(stored.join()).toContain('key revoked');
    expect(stored.join()).not.toContain(String(created.body.key).slice(4, 20));

    await redis.process.stop('SIGKILL');
    const failed = await ask(one, 'POST', '/admin/v1/keys', { id: 'other' });
    expect([failed.status, failed.body.title]).toEqual([503, 'Service Unavailable']);
    expect(failed.text).not.toContain('nxs_');
    await until(async () => (await ask(one, 'GET', '/admin/v1/keys')).body.store === 'away', PATIENT);
    expect((await ask(one, 'GET', '/admin/v1/audit')).status).toBe(503);
  });
});
