import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, selfSignedCert, tempDir, until } from '@nexus/testkit';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis, RedisLimiter, type RedisSettings, redisOptions } from '../../src/index.ts';
import { DAY_MS, demand, owner, rate, slots } from '../limit-shapes.ts';
import { startClusterGroup, startSentinelGroup } from './redis-groups.ts';

const owners = [owner('key:a', rate('requests', 100, 30 * DAY_MS), slots(50)), owner('gateway', slots(100))];

async function limiterOn(settings: RedisSettings, isConnected = true) {
  const errors: unknown[] = [];
  const connections = connectRedis({ commandTimeoutMs: 3_000, ...settings }, (error) => errors.push(error));
  const limiter = new RedisLimiter({ connections });
  onTestFinished(() => limiter.close());
  if (isConnected)
    await until(() => connections.admitting.status === 'ready' && connections.ending.status === 'ready', {
      withinMs: 20_000,
    });
  return { limiter, connections, errors };
}

let asked = 0;
async function admitAndSettle(limiter: RedisLimiter) {
  const decision = await limiter.admit({ requestId: `r${asked++}`, owners, demand: demand(1) });
  if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 0, outputTokens: 0 });
  return decision.admitted;
}

describe('the settings of Redis', () => {
  it('never let a command wait, or be sent again', () => {
    expect(redisOptions()).toMatchObject({
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: 2_000,
      enableAutoPipelining: false,
    });
  });

  it('name exactly what is wrong with an address', () => {
    const connect = (settings: RedisSettings) => () => connectRedis(settings, () => {});
    expect(connect({})).toThrow('no address');
    expect(connect({ url: 'localhost:6379' })).toThrow('redis://');
    expect(connect({ sentinels: ['a:1'] })).toThrow('name of the master');
    expect(connect({ sentinels: ['a'], name: 'nexus' })).toThrow('host:port');
    expect(connect({ cluster: ['a:99999'] })).toThrow('host:port');
  });
});

describe.skipIf(noRedis)('the Redis limiter reaches', () => {
  it('a Redis with a password, and no other', async () => {
    const redis = await startRedis(['--requirepass', 'right'], { password: 'right' });
    const { limiter } = await limiterOn({ url: `redis://:right@127.0.0.1:${redis.port}` });
    expect(await admitAndSettle(limiter)).toBe(true);
    const wrong = await limiterOn({ url: `redis://:wrong@127.0.0.1:${redis.port}` }, false);
    await until(() => wrong.errors.length > 0, { withinMs: 20_000 });
    await expect(admitAndSettle(wrong.limiter)).rejects.toThrow('cannot decide');
    redis.client.disconnect();
  }, 60_000);

  it('a Redis by an ACL user that may do no more than the limiter needs', async () => {
    const redis = await startRedis();
    const rights = [
      'on',
      '>secret',
      '~{nexus}:*',
      '-@all',
      '+@connection',
      '+@read',
      '+@write',
      '+@scripting',
      '+info',
      '+time',
    ];
    await redis.client.call('acl', ['SETUSER', 'nexus', ...rights]);
    const { limiter } = await limiterOn({ url: `redis://nexus:secret@127.0.0.1:${redis.port}` });
    expect(await admitAndSettle(limiter)).toBe(true);
    redis.client.disconnect();
  }, 60_000);

  it('a Redis over TLS whose authority it trusts, and no other', async () => {
    const dir = await tempDir();
    const { cert, key } = selfSignedCert();
    await writeFile(join(dir, 'cert.pem'), cert);
    await writeFile(join(dir, 'key.pem'), key);
    const tlsPort = await freePort();
    const redis = await startRedis([
      ...['--tls-port', `${tlsPort}`, '--tls-auth-clients', 'no'],
      ...['--tls-cert-file', join(dir, 'cert.pem'), '--tls-key-file', join(dir, 'key.pem')],
      ...['--tls-ca-cert-file', join(dir, 'cert.pem')],
    ]);
    const { limiter } = await limiterOn({ url: `rediss://localhost:${tlsPort}`, tls: { ca: cert } });
    expect(await admitAndSettle(limiter)).toBe(true);
    const strict = await limiterOn({ url: `rediss://localhost:${tlsPort}` }, false);
    await until(() => strict.errors.length > 0, { withinMs: 20_000 });
    expect(`${strict.errors[0]}`).toMatch(/self.signed/i);
    await expect(admitAndSettle(strict.limiter)).rejects.toThrow('cannot decide');
    redis.client.disconnect();
  }, 60_000);

  it('the master that Sentinel names, and the next one after a failover', async () => {
    const { master, replica, settings } = await startSentinelGroup();
    const { limiter, connections } = await limiterOn(settings);
    expect(await admitAndSettle(limiter)).toBe(true);
    const offset = async (line: RegExp, { client }: TestRedis) =>
      Number(line.exec(await client.info('replication'))?.[1]);
    const isCopied = async () =>
      (await offset(/slave_repl_offset:(\d+)/, replica)) ===
      (await offset(/master_repl_offset:(\d+)/, master));
    await until(isCopied, { withinMs: 20_000 });
    await master.process.stop('SIGKILL');
    await until(() => connections.admitting.status !== 'ready', { withinMs: 20_000 });
    await until(() => admitAndSettle(limiter), { withinMs: 30_000, everyMs: 50 });
    expect(await replica.client.info('replication')).toContain('role:master');
    const free = async () => `${(await limiter.peek(owners)).map(({ available }) => available)}`;
    await until(async () => (await free()) === '98,50,100', { withinMs: 20_000 });
    for (const { client } of [master, replica]) client.disconnect();
  }, 120_000);

  it('a cluster of three masters, where all keys share one slot, also after the slot has moved', async () => {
    const group = await startClusterGroup();
    const { limiter } = await limiterOn(group.settings);
    for (let count = 0; count < 10; count += 1) expect(await admitAndSettle(limiter)).toBe(true);
    const move = await group.beginMove('{nexus}');
    while ((await move.moveSome(1_000)) > 0);
    await move.end();
    await until(() => admitAndSettle(limiter), { withinMs: 20_000, everyMs: 50 });
    await until(async () => (await limiter.peek(owners))[0]?.available === 89, { withinMs: 20_000 });
    for (const { client } of group.nodes) client.disconnect();
  }, 120_000);
});
