import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';
import { CERT_PEM } from './tls-pair.ts';

const folder = temporaryFolder();
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const load = (text: string, given = {}) => loadText(folder, `target_url: http://x\n${text}`, given).config;

describe('the shared Redis', () => {
  it('is none by default, and limits are kept locally where it is away', () => {
    const config = load('');
    expect(config.redis).toBeUndefined();
    expect(config.onRedisFailure).toEqual({ rates: 'local', budgets: 'local' });
    expect(config.maxWaitMs).toBe(0);
  });

  it('is one URL, in the file, in a secret’s file, in the environment or as a flag', () => {
    write('redis_url', 'rediss://:hidden@r:6380/2\n');
    const given = [
      load('redis_url: rediss://:hidden@r:6380/2'),
      load('redis_url: file:redis_url'),
      load('', { env: { NEXUS_REDIS_URL: 'rediss://:hidden@r:6380/2' } }),
      load('redis_url: redis://other', { args: ['--redis-url', 'rediss://:hidden@r:6380/2'] }),
    ];
    for (const { redis } of given) {
      expect(redis?.reach).toEqual({ url: 'rediss://:hidden@r:6380/2', tls: true });
      expect(redis?.shown).toBe('rediss://r:6380');
      expect(redis?.keyPrefix).toBe('nexus');
    }
  });

  it('shows its passwords to nobody who prints it', () => {
    const config = load(
      'redis: { sentinels: ["a:1"], name: n, password: hidden1, sentinel_password: hidden2, username: u }',
    );
    expect(config.redis?.reach).toMatchObject({ password: 'hidden1', sentinelPassword: 'hidden2' });
    const printed =
      inspect(config, { depth: 20, showHidden: true }) + JSON.stringify(config) + config.redis?.shown;
    expect(printed).not.toContain('hidden');
  });

  it('is a master behind sentinels, or a cluster, with TLS and a prefix of its own', () => {
    write('ca.pem', CERT_PEM);
    expect(load('redis: { sentinels: ["s1:26379", "s2:26379"], name: nexus }').redis?.reach).toEqual({
      sentinels: ['s1:26379', 's2:26379'],
      name: 'nexus',
    });
    const { redis } = load(
      'redis: { cluster: ["[::1]:1"], ca_file: ca.pem, server_name: r, key_prefix: staging }',
    );
    expect(redis?.reach).toEqual({ cluster: ['[::1]:1'], tls: { ca: CERT_PEM, servername: 'r' } });
    expect(redis?.keyPrefix).toBe('staging');
    expect(load('redis_url: rediss://r\nredis: { ca_file: ca.pem }').redis?.reach.tls).toEqual({
      ca: CERT_PEM,
    });
  });

  it('may take as long to answer as it is given, which is 2 s at most', () => {
    const { redis } = load('redis_url: redis://r\nredis: { command_timeout: 250ms }');
    expect(redis?.reach).toEqual({ url: 'redis://r', commandTimeoutMs: 250 });
    expect(load('redis_url: redis://r').redis?.reach).not.toHaveProperty('commandTimeoutMs');
  });

  it('is kept in two ways when it is away, unless one word is said more loudly', () => {
    const text = 'on_redis_failure: { budgets: closed }';
    expect(load(text).onRedisFailure).toEqual({ rates: 'local', budgets: 'closed' });
    expect(load('on_redis_failure: open').onRedisFailure).toEqual({ rates: 'open', budgets: 'open' });
    const env = { NEXUS_ON_REDIS_FAILURE: 'closed' };
    expect(load(text, { env }).onRedisFailure).toEqual({ rates: 'closed', budgets: 'closed' });
  });

  it('may be lost by a single limit in a way of its own', () => {
    const { keyLimits } = load(
      'limits: { requests_per_second: 1, model_tokens_per_day: { limit: 5, on_redis_failure: closed } }',
    );
    expect(keyLimits.buckets.map(({ onRedisFailure }) => onRedisFailure)).toEqual([undefined, 'closed']);
  });

  it.each([
    [
      'limits: { requests_per_day: { limit: 1, on_redis_failure: no } }',
      'on_redis_failure` is none of its choices',
    ],
    [
      'limits: { max_output_tokens: { limit: 1, on_redis_failure: open } }',
      'stands at a limit that needs no Redis',
    ],
    ['redis_url: http://r', '`redis_url` is not the URL of a Redis; write such as redis://redis:6379'],
    ['redis_url: redis://r:6379/x', '`redis_url` is not the URL of a Redis'],
    ['redis_url: 6379', '`redis_url` is not the URL of a Redis'],
    ['redis_url: file:gone', 'the file that `redis_url` names does not exist'],
    ['redis: { key_prefix: a }', '`redis` says how, but not where a Redis is'],
    ['redis: { sentinels: ["a:1"] }', '`redis` has no `name`; write the name of the master'],
    [
      'redis: { sentinels: ["a:1"], cluster: ["a:1"], name: x }',
      '`redis.sentinels` and `redis.cluster` are given together',
    ],
    [
      'redis_url: redis://r\nredis: { cluster: ["a:1"] }',
      '`redis_url` and `redis.cluster` are given together; keep one',
    ],
    [
      'redis_url: redis://r\nredis: { password: x }',
      '`redis.password` stands beside `redis_url`, which has its own',
    ],
    ['redis_url: redis://r\nredis: { tls: true }', 'TLS is set, and `redis_url` is without; write rediss://'],
    ['redis: { cluster: [] }', '`redis.cluster` lists no address'],
    ['redis: { cluster: [6379] }', '`redis.cluster[0]` is not host:port'],
    ['redis: { cluster: ["a:1"], name: x }', '`redis.name` is for sentinels; remove it'],
    ['redis: { clusters: ["a:1"] }', 'unknown setting `redis.clusters`; did you mean `cluster`?'],
    ['redis: { cluster: ["a:1"], ca_file: gone.pem }', 'the file that `redis.ca_file` names does not exist'],
    ['redis: { cluster: ["a:1"], key_prefix: "a}b" }', '`redis.key_prefix` is not a plain name'],
    [
      'redis_url: redis://r\nredis: { command_timeout: 75 }',
      '`redis.command_timeout` has no unit; write 75s or 75ms',
    ],
    [
      'redis_url: redis://r\nredis: { command_timeout: 3s }',
      '`redis.command_timeout` is too long; write at most 2s',
    ],
    ['redis: r:6379', '`redis` is not a mapping'],
    ['on_redis_failure: maybe', '`on_redis_failure` is none of its choices; write local or closed or open'],
    ['on_redis_failure: { rates: maybe }', '`on_redis_failure.rates` is none of its choices'],
    ['on_redis_failure: { rate: local }', 'unknown setting `on_redis_failure.rate`; did you mean `rates`?'],
    ['max_wait: 5', '`max_wait` has no unit; write 5s or 5ms'],
  ])('%s is refused, with what would be right', (text, expected) => {
    expect(problemLines(folder, `target_url: http://x\n${text}`).join('\n')).toContain(expected);
  });
});
