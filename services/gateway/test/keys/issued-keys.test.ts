import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { credentialHash } from '@nexus/config';
import {
  createKey,
  type Doer,
  type KeyKeeper,
  newKey,
  RedisKeyKeeper,
  revokeKey,
  rotateKey,
} from '@nexus/keys';
import { SqliteKeyKeeper } from '@nexus/keys/sqlite';
import { tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RunningGateway, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

const PATIENT = { withinMs: 20_000, everyMs: 20 };

async function ownRedis(...given: Parameters<typeof startRedis>): Promise<TestRedis> {
  const redis = await startRedis(...given);
  await redis.client.connect();
  onTestFinished(async () => {
    redis.client.disconnect();
    await redis.process.stop();
  });
  return redis;
}

const TEAMS = `
tiers: { pro: { requests_per_day: 500 } }
teams: { search: { limits: { requests_per_day: 50 }, each_key: { requests_per_day: 40 }, models: ["gpt-4o*"] } }
limits: { requests_per_day: 100 }
require_known_keys: true
`;

const doer = (): Doer => ({ by: 'user:test', nowMs: Date.now() });

async function issue(keeper: KeyKeeper, id: string, more: object = {}): Promise<string> {
  const key = newKey();
  await createKey(keeper, { id, hash: credentialHash(key), ...more }, doer());
  return key;
}

async function status({ url }: RunningGateway, key: string): Promise<number> {
  const answer = await fetch(`${url}/nexus/limits`, { headers: { authorization: `Bearer ${key}` } });
  await answer.text();
  return answer.status;
}

const becomes = (running: RunningGateway, key: string, wanted: number) =>
  until(async () => (await status(running, key)) === wanted, PATIENT);

/** Two gateways on one store, and a keeper as a command beside them has it. */
async function cluster(kind: 'redis' | 'file') {
  const folder = await tempDir();
  const redis = kind === 'redis' ? await ownRedis() : undefined;
  const path = join(folder, 'nexus.db');
  const store = redis ? `redis_url: ${redis.url}` : `ledger: { path: ${path} }`;
  const settings = `${store}\n${TEAMS}`;
  const one = await startWithSimulator(settings);
  const two = await startWithSimulator(settings);
  const keeper = redis ? new RedisKeyKeeper(redis.client, 'nexus') : new SqliteKeyKeeper(path);
  onTestFinished(() => keeper.close());
  return { one, two, keeper, redis };
}

describe.each(['redis', 'file'] as const)('keys issued into a %s', (kind) => {
  it.skipIf(kind === 'redis' && noRedis)(
    'are taken, rotated and refused by every gateway soon after',
    async () => {
      const { one, two, keeper } = await cluster(kind);
      const key = await issue(keeper, 'search-2', { team: 'search' });
      for (const running of [one, two]) await becomes(running, key, 200);
      const answer = await fetch(`${one.url}/nexus/limits`, { headers: { authorization: `Bearer ${key}` } });
      expect(await answer.text()).toContain('"size":40');
      expect((await one.chat({ model: 'o3' }, { authorization: `Bearer ${key}` })).status).toBe(404);

      const next = newKey();
      await rotateKey(keeper, { id: 'search-2', hash: credentialHash(next), overlapMs: 3_600_000 }, doer());
      for (const running of [one, two]) await becomes(running, next, 200);
      expect(await status(one, key)).toBe(200);

      const last = newKey();
      await rotateKey(keeper, { id: 'search-2', hash: credentialHash(last), overlapMs: 0 }, doer());
      for (const running of [one, two]) {
        await becomes(running, last, 200);
        expect([await status(running, key), await status(running, next)]).toEqual([401, 401]);
      }
      await revokeKey(keeper, 'search-2', doer());
      for (const running of [one, two]) await becomes(running, last, 401);
      for (const text of [one.logText(), two.logText()])
        for (const secret of [key, next, last]) expect(text).not.toContain(secret.slice(4, 24));
    },
  );

  it.skipIf(kind === 'redis' && noRedis)(
    'outlive a changed configuration, unless their team or tier is gone',
    async () => {
      const { one, keeper } = await cluster(kind);
      const plain = await issue(keeper, 'plain');
      const pro = await issue(keeper, 'pro', { tier: 'pro' });
      const search = await issue(keeper, 'search-2', { team: 'search' });
      for (const key of [plain, pro, search]) await becomes(one, key, 200);
      one.configure((text) =>
        text.replace('tiers: { pro: {', 'tiers: { other: {').replace('search: {', 'else: {'),
      );
      one.gateway.reload();
      expect([await status(one, plain), await status(one, pro), await status(one, search)]).toEqual([
        200, 401, 401,
      ]);
      one.configure((text) => text.replace('tiers: { other: {', 'tiers: { pro: {'));
      one.gateway.reload();
      expect([await status(one, plain), await status(one, pro), await status(one, search)]).toEqual([
        200, 200, 401,
      ]);
    },
  );
});

describe('an issued key', () => {
  it('is never sent to the upstream, and an unknown one of its form never passes', async () => {
    const received: string[] = [];
    const upstream = createServer((req, res) => {
      received.push(req.rawHeaders.join(' '));
      res.setHeader('content-type', 'application/json').end('{}');
    }).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    onTestFinished(() => void upstream.close().closeAllConnections());
    const address = upstream.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const path = join(await tempDir(), 'nexus.db');
    const running = await startInFrontOf(`http://127.0.0.1:${port}`, `ledger: { path: ${path} }`);
    const keeper = new SqliteKeyKeeper(path);
    onTestFinished(() => keeper.close());
    const key = await issue(keeper, 'a');
    await becomes(running, key, 200);
    expect(await status(running, 'sk-somebody-elses')).toBe(200);
    expect(await status(running, newKey())).toBe(401);
    await (await fetch(`${running.url}/v1/files`, { headers: { authorization: `Bearer ${key}` } })).text();
    await (await running.chat({}, { authorization: `Bearer ${key}` })).text();
    await (await running.chat({}, { authorization: 'Bearer nothing', 'x-api-key': key })).text();
    await (await running.chat({}, { authorization: 'Bearer sk-somebody-elses' })).text();
    expect(received).toHaveLength(4);
    expect(received.join(' ')).not.toContain('nxs_');
    expect(received[3]).toContain('Bearer sk-somebody-elses');
  });

  it('is refused from its end on', async () => {
    const path = join(await tempDir(), 'nexus.db');
    const running = await startWithSimulator(`ledger: { path: ${path} }`);
    const keeper = new SqliteKeyKeeper(path);
    onTestFinished(() => keeper.close());
    const past = await issue(keeper, 'past', { expiresMs: Date.now() - 1 });
    const future = await issue(keeper, 'future', { expiresMs: Date.now() + 3_600_000 });
    await becomes(running, future, 200);
    expect(await status(running, past)).toBe(401);
  });

  it('cannot take the name of a listed one', async () => {
    const path = join(await tempDir(), 'nexus.db');
    const keeper = new SqliteKeyKeeper(path);
    onTestFinished(() => keeper.close());
    const key = await issue(keeper, 'app');
    const other = await issue(keeper, 'other');
    const settings = `ledger: { path: ${path} }\nkeys: [{ id: app, key: sk-listed-one }]`;
    const running = await startWithSimulator(settings);
    expect([
      await status(running, key),
      await status(running, 'sk-listed-one'),
      await status(running, other),
    ]).toEqual([401, 200, 200]);
  });
});

describe.skipIf(noRedis)('while Redis is away, issued keys', () => {
  it('are those that were known, and go back into a Redis that has lost them', {
    timeout: 60_000,
  }, async () => {
    const { one, two, keeper, redis } = await cluster('redis');
    if (!redis) return;
    const [kept, revoked] = [await issue(keeper, 'kept'), await issue(keeper, 'revoked')];
    for (const key of [kept, revoked]) for (const running of [one, two]) await becomes(running, key, 200);
    await revokeKey(keeper, 'revoked', doer());
    for (const running of [one, two]) await becomes(running, revoked, 401);
    await redis.process.stop('SIGKILL');
    const issuedStatus = async ({ url }: RunningGateway) =>
      /"issued_keys":\{"status":"(\w+)"/.exec(await (await fetch(`${url}/health`)).text())?.[1];
    await until(async () => (await issuedStatus(one)) === 'away', PATIENT);
    expect([await status(one, kept), await status(one, revoked)]).toEqual([200, 401]);

    const again = await ownRedis([], { port: redis.port });
    const fresh = new RedisKeyKeeper(again.client, 'nexus');
    for (const running of [one, two])
      await until(async () => (await issuedStatus(running)) === 'ok', PATIENT);
    await until(async () => (await fresh.changes(undefined)).records.length === 2, PATIENT);
    expect(await fresh.find('revoked')).toMatchObject({ revision: 2 });
    expect([await status(one, kept), await status(two, revoked)]).toEqual([200, 401]);
    const messages = one.log.map(({ message }) => message);
    for (const message of ['issued keys cannot be read', 'issued keys are read again'])
      expect(messages.filter((each) => each === message)).toHaveLength(1);
    const stored = JSON.stringify(await again.client.hgetall('{nexus}:keys'));
    expect(stored).not.toContain(kept.slice(4, 24));
  });

  it('that were never read are no reason to call a key wrong', async () => {
    const redis = await ownRedis();
    await redis.process.stop();
    const running = await startWithSimulator(`redis_url: ${redis.url}`);
    expect(await status(running, newKey())).toBe(503);
    expect(await status(running, 'sk-anyone')).toBe(200);
  });
});
