import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, selfSignedCert, startProcess, tempDir, until } from '@nexus/testkit';
import { noRedis, redisServerPath, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis, RedisLimiter, type RedisSettings, redisOptions } from '../../src/index.ts';
import { DAY_MS, demand, owner, rate, slots } from '../limit-shapes.ts';

const owners = [owner('key:a', rate('requests', 100, 30 * DAY_MS), slots(50)), owner('gateway', slots(100))];

async function limiterOn(settings: RedisSettings, isConnected = true) {
  const errors: unknown[] = [];
  const connections = connectRedis({ commandTimeoutMs: 1_000, ...settings }, (error) => errors.push(error));
  const limiter = new RedisLimiter({ connections });
  onTestFinished(() => limiter.close());
  if (isConnected)
    await until(() => connections.admitting.status === 'ready' && connections.ending.status === 'ready', {
      withinMs: 5_000,
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
      commandTimeout: 75,
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
    await until(() => wrong.errors.length > 0);
    await expect(admitAndSettle(wrong.limiter)).rejects.toThrow('cannot decide');
    redis.client.disconnect();
  });

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
  });

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
    await until(() => strict.errors.length > 0);
    expect(`${strict.errors[0]}`).toMatch(/self.signed/i);
    await expect(admitAndSettle(strict.limiter)).rejects.toThrow('cannot decide');
    redis.client.disconnect();
  });

  it('the master that Sentinel names, and the next one after a failover', async () => {
    const master = await startRedis();
    const replica = await startRedis(['--replicaof', `127.0.0.1 ${master.port}`]);
    const sentinelPort = await freePort();
    const file = join(await tempDir(), 'sentinel.conf');
    await writeFile(
      file,
      [
        `port ${sentinelPort}`,
        'bind 127.0.0.1',
        `sentinel monitor nexus 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds nexus 500',
        'sentinel failover-timeout nexus 2000',
      ].join('\n'),
    );
    const sentinel = await startProcess({
      command: redisServerPath(),
      args: [file, '--sentinel'],
      readyWhen: /\+monitor master nexus/,
    });
    const { limiter, connections } = await limiterOn({
      sentinels: [`127.0.0.1:${sentinelPort}`],
      name: 'nexus',
    });
    expect(await admitAndSettle(limiter)).toBe(true);
    await until(async () => (await replica.client.info('replication')).includes('master_link_status:up'), {
      withinMs: 8_000,
    });
    await until(() => sentinel.stdout.some((line) => line.includes('+slave')), { withinMs: 12_000 });
    await master.process.stop('SIGKILL');
    await until(() => connections.admitting.status !== 'ready');
    await until(async () => admitAndSettle(limiter), { withinMs: 15_000, everyMs: 50 });
    expect(await replica.client.info('replication')).toContain('role:master');
    const free = async () => (await limiter.peek(owners)).map(({ available }) => available);
    await expect.poll(free, { timeout: 3_000 }).toEqual([98, 50, 100]);
    master.client.disconnect();
    replica.client.disconnect();
  }, 40_000);

  it('a cluster of three masters, where all keys share one slot, also after the slot has moved', async () => {
    const nodes = await Promise.all(
      [1, 2, 3].map(async () =>
        startRedis([
          '--cluster-enabled',
          'yes',
          '--cluster-node-timeout',
          '2000',
          '--cluster-port',
          `${await freePort()}`,
        ]),
      ),
    );
    const [first] = nodes;
    if (!first) return;
    for (const [index, { client, port }] of nodes.entries()) {
      const bounds = [0, 5461, 10923, 16384];
      await client.call('cluster', ['ADDSLOTSRANGE', `${bounds[index]}`, `${(bounds[index + 1] ?? 0) - 1}`]);
      const info = await nodes[index]?.client.call('cluster', ['MYID']);
      expect(typeof info).toBe('string');
      if (index > 0) {
        const [bus] = [
          /cluster-port\n(\d+)/.exec(
            `${await client.call('config', ['GET', 'cluster-port'])}`.replace(',', '\n'),
          )?.[1],
        ];
        await first.client.call('cluster', ['MEET', '127.0.0.1', `${port}`, `${bus}`]);
      }
    }
    const isWhole = async () => {
      const told = await Promise.all(nodes.map(({ client }) => client.call('cluster', ['INFO'])));
      return told.every((info) => /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(`${info}`));
    };
    await until(isWhole, { withinMs: 15_000 });
    const { limiter } = await limiterOn({ cluster: nodes.map(({ port }) => `127.0.0.1:${port}`) });
    for (let count = 0; count < 10; count += 1) expect(await admitAndSettle(limiter)).toBe(true);
    const slot = Number(await first.client.call('cluster', ['KEYSLOT', '{nexus}']));
    const ids = await Promise.all(
      nodes.map(async ({ client }) => `${await client.call('cluster', ['MYID'])}`),
    );
    const from = slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
    const to = (from + 1) % 3;
    const [source, target] = [nodes[from], nodes[to]];
    if (!source || !target) return;
    await target.client.call('cluster', ['SETSLOT', `${slot}`, 'IMPORTING', ids[from] ?? '']);
    await source.client.call('cluster', ['SETSLOT', `${slot}`, 'MIGRATING', ids[to] ?? '']);
    const keys = await source.client.call('cluster', ['GETKEYSINSLOT', `${slot}`, '1000']);
    if (Array.isArray(keys) && keys.length > 0)
      await source.client.call('migrate', [
        '127.0.0.1',
        `${target.port}`,
        '',
        '0',
        '5000',
        'KEYS',
        ...keys.map(String),
      ]);
    // Under way between two nodes: an admission fails in time, or passes.
    const startMs = performance.now();
    await admitAndSettle(limiter).catch(() => {});
    expect(performance.now() - startMs).toBeLessThan(1_000);
    for (const { client } of [target, source])
      await client.call('cluster', ['SETSLOT', `${slot}`, 'NODE', ids[to] ?? '']);
    await until(() => admitAndSettle(limiter), { withinMs: 8_000, everyMs: 50 });
    const [requests] = await limiter.peek(owners);
    expect(requests?.available).toBeLessThan(91);
    for (const { client } of nodes) client.disconnect();
  }, 40_000);
});
