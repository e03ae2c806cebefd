import { resolve } from 'node:path';
import type { OnRedisFailure } from '@nexus/domain';
import { type Config, type RedisReach, SharedRedis } from './config.ts';
import { readBounded, readFailure } from './config-file.ts';
import { FORMATS, redisUrlFinding } from './formats.ts';
import type { Place } from './problems.ts';
import { resolveSecret, type SecretContext, textOf } from './secret-text.ts';
import type { MapTree, Tree } from './yaml-tree.ts';

/** `redis_url` as its strongest source gives it. */
interface GivenUrl {
  readonly text: string;
  readonly place: Place;
  /** What a `file:` path in it is relative to. */
  readonly folder: string;
}

/** The shared Redis that `redis_url` and `redis` describe. Undefined: none, or a problem, which is said. */
export function readRedis(
  given: GivenUrl | undefined,
  redis: { readonly place: Place; readonly value: Tree } | undefined,
  context: SecretContext,
): SharedRedis | undefined {
  const map = redis?.value.kind === 'map' ? redis.value : undefined;
  const place = given?.place ?? redis?.place;
  if (place === undefined) return undefined;
  const { problems } = context;
  const add = (at: Place, setting: string, wrong: string, remedy: string) =>
    problems.add(at, setting, { wrong, remedy });
  const at = (name: string) => map?.entries.get(name)?.place ?? place;
  const has = (name: string) => map?.entries.has(name) === true;

  const ways = [...(given ? ['redis_url'] : []), ...WAYS.filter(has).map((name) => `redis.${name}`)];
  if (ways.length === 0) {
    if (map) {
      const remedy = 'write `redis_url`, `redis: { sentinels, name }` or `redis: { cluster }`';
      add(place, 'redis', '`redis` says how, but not where a Redis is', remedy);
    }
    return undefined;
  }
  if (ways.length > 1) {
    const both = ways.map((way) => `\`${way}\``).join(' and ');
    add(place, ways[0] ?? '', `${both} are given together`, 'keep one of them');
  }
  for (const { name, needs, why } of NEEDS) {
    if (has(name) && !needs.some((need) => ways.includes(need)))
      add(at(name), `redis.${name}`, `\`redis.${name}\` ${why}`, 'remove it');
  }
  const [way = ''] = ways;
  if (way === 'redis.sentinels' && !has('name'))
    add(
      at('sentinels'),
      'redis',
      '`redis` has no `name`',
      'write the name of the master that the sentinels watch',
    );
  for (const list of WAYS) {
    const value = map?.entries.get(list)?.value;
    if (value?.kind === 'list' && value.items.length === 0)
      add(at(list), `redis.${list}`, `\`redis.${list}\` lists no address`, 'list one, such as redis-1:6379');
  }
  const url =
    given &&
    resolveSecret(
      given.text,
      given.place,
      'redis_url',
      { ...context, folder: given.folder },
      redisUrlFinding,
    );
  const tls = readTls(map, context, url?.startsWith('rediss:') === true);
  if (given && url !== undefined && !url.startsWith('rediss:') && tls !== undefined)
    add(at('tls'), 'redis.tls', 'TLS is set, and `redis_url` is without', 'write rediss:// in the URL');
  const secretAt = (name: string) => {
    const entry = map?.entries.get(name);
    return entry && resolveSecret(textOf(entry.value), entry.place, `redis.${name}`, context);
  };
  const textAt = (name: string) => textOf(map?.entries.get(name)?.value);
  const timeout = FORMATS['nexus-timeout'].read(textAt('command_timeout'));
  const reach: RedisReach = dropUndefined({
    url,
    sentinels: addresses(map, 'sentinels'),
    name: textAt('name'),
    cluster: addresses(map, 'cluster'),
    username: textAt('username'),
    password: secretAt('password'),
    sentinelUsername: textAt('sentinel_username'),
    sentinelPassword: secretAt('sentinel_password'),
    tls,
    commandTimeoutMs: timeout.ok && typeof timeout.value === 'number' ? timeout.value : undefined,
  });
  return new SharedRedis(shownReach(reach), textAt('key_prefix') ?? 'nexus', reach);
}

/** `{ rates, budgets }` of the file, unless a stronger source gives one word for both. */
export function readOnRedisFailure(
  word: OnRedisFailure,
  tree: Tree | undefined,
  isOverridden: boolean,
): Config['onRedisFailure'] {
  const read = (name: string): OnRedisFailure => {
    const given = !isOverridden && tree?.kind === 'map' ? textOf(tree.entries.get(name)?.value) : undefined;
    return given === 'local' || given === 'closed' || given === 'open' ? given : word;
  };
  return Object.freeze({ rates: read('rates'), budgets: read('budgets') });
}

/** The authorities of a whole operating system have 250 KB. */
const LARGEST_PEM_BYTES = 1_048_576;

const WAYS = ['sentinels', 'cluster'] as const;

const BEYOND_URL = ['redis.sentinels', 'redis.cluster'];
const NEEDS = [
  { name: 'name', needs: ['redis.sentinels'], why: 'is for sentinels' },
  { name: 'sentinel_username', needs: ['redis.sentinels'], why: 'is for sentinels' },
  { name: 'sentinel_password', needs: ['redis.sentinels'], why: 'is for sentinels' },
  { name: 'username', needs: BEYOND_URL, why: 'stands beside `redis_url`, which has its own' },
  { name: 'password', needs: BEYOND_URL, why: 'stands beside `redis_url`, which has its own' },
];

function addresses(map: MapTree | undefined, name: string): readonly string[] | undefined {
  const list = map?.entries.get(name)?.value;
  return list?.kind === 'list' ? Object.freeze(list.items.flatMap((item) => textOf(item) ?? [])) : undefined;
}

function readTls(
  map: MapTree | undefined,
  { folder, problems }: SecretContext,
  isOn: boolean,
): RedisReach['tls'] {
  const setting = map?.entries.get('tls')?.value;
  const switched = setting?.kind === 'scalar' ? FORMATS['nexus-boolean'].read(setting.value) : undefined;
  const file = map?.entries.get('ca_file');
  const path = textOf(file?.value);
  const servername = textOf(map?.entries.get('server_name')?.value);
  if (switched?.ok && switched.value === false) return undefined;
  if (file === undefined || path === undefined)
    return servername === undefined ? (switched?.ok || isOn ? true : undefined) : { servername };
  try {
    const ca = readBounded(resolve(folder, path), LARGEST_PEM_BYTES).toString('utf8');
    if (ca.includes('-----BEGIN CERTIFICATE-----'))
      return { ca, ...(servername === undefined ? {} : { servername }) };
    problems.add(file.place, 'redis.ca_file', {
      wrong: 'the file that `redis.ca_file` names holds no certificate',
      remedy: 'name a PEM file that begins with -----BEGIN CERTIFICATE-----',
    });
  } catch (error) {
    problems.add(file.place, 'redis.ca_file', {
      wrong: `the file that \`redis.ca_file\` names ${readFailure(error)}`,
      remedy: 'name a readable PEM file',
    });
  }
  return undefined;
}

function shownReach({ url, sentinels, name, cluster }: RedisReach): string {
  if (url !== undefined) {
    const { protocol, host } = new URL(url);
    return `${protocol}//${host}`;
  }
  if (sentinels) return `${name ?? ''} behind sentinels ${sentinels.join(', ')}`;
  return `cluster ${(cluster ?? []).join(', ')}`;
}

type Given<T> = { [K in keyof T]: T[K] | undefined };

function dropUndefined(reach: Given<RedisReach>): RedisReach {
  return Object.freeze(Object.fromEntries(Object.entries(reach).filter(([, value]) => value !== undefined)));
}
