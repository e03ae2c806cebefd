import { z } from 'zod';
import { limitsShape, ownLimits } from './limit-shapes.ts';
import { PRICE_AMOUNTS } from './price-settings.ts';
import {
  commandTimeout,
  date,
  expires,
  id,
  keep,
  keyHash,
  keyPattern,
  keyPrefix,
  modelRules,
  namedBy,
  network,
  oneOf,
  plainText,
  postgresUrl,
  queue,
  redisAddress,
  secret,
  trueOrFalse,
  usd,
  webhook,
} from './shape-leaves.ts';
import { RETRY_NAMES, UPSTREAM_NAMES, upstreamsShape } from './upstream-shape.ts';

const word = oneOf('local', 'closed', 'open');

/** Scalars that may be a mapping in the file: the shape of that. */
export const MAPPING_FORMS: ReadonlyMap<string, z.ZodType> = new Map([
  ['on_redis_failure', z.strictObject({ rates: word.optional(), budgets: word.optional() })],
]);

const tier = limitsShape(true).extend({ models: modelRules.optional() });

const tierByHeader = z.strictObject({
  keys: z.array(keyPattern).min(1, { message: 'lists no key' }),
  tiers: z.array(id).min(1, { message: 'lists no tier' }).optional(),
});

const customers = z.strictObject({
  from: oneOf('header', 'body.user', 'body.safety_identifier').optional(),
  tier: id.optional(),
  tiers: z.record(z.string(), id).optional(),
  tier_by_header: tierByHeader.optional(),
});

const team = z.strictObject({
  limits: limitsShape(true).optional(),
  tier: id.optional(),
  each_key: limitsShape(true).optional(),
  models: modelRules.optional(),
  features: namedBy(ownLimits).optional(),
  customers: customers.optional(),
});

const price = z.strictObject({
  from: date.optional(),
  same_as: plainText.optional(),
  ...Object.fromEntries(PRICE_AMOUNTS.map(([name]) => [name, usd.optional()])),
});

/** The names in the mappings that are checked by shape and have few. */
export const SHAPE_NAMES = {
  team: Object.keys(team.shape),
  customers: Object.keys(customers.shape),
  tier_by_header: Object.keys(tierByHeader.shape),
  price: Object.keys(price.shape),
  alerts: ['webhook', 'secret', 'format'],
  ledger: ['path', 'postgres_url', 'keep', 'queue'],
  admin_token: ['id', 'token', 'scopes'],
  upstream: UPSTREAM_NAMES,
  retry: RETRY_NAMES,
};

/** Lists that stand in a mapping of scalars. */
export const GROUP_LISTS = {
  'admin.tokens': z
    .array(
      z.strictObject({
        id,
        token: secret,
        scopes: z.array(oneOf('read', 'keys', 'budgets')).min(1, { message: 'lists no scope' }),
      }),
    )
    .describe('Who may use the admin API, and for what: `read`, `keys`, `budgets`. Absent: nobody.'),
};

/** Lists and mappings of the file, each checked by its shape; scalars are in scalar-settings.ts. */
export const LIST_SHAPES = {
  trusted_proxies: z
    .array(network)
    .describe('Whose X-Forwarded-For is believed: addresses and networks. Default: nobody’s.'),
  redis: z
    .strictObject({
      sentinels: z.array(redisAddress).optional(),
      name: plainText.optional(),
      cluster: z.array(redisAddress).optional(),
      username: plainText.optional(),
      password: secret.optional(),
      sentinel_username: plainText.optional(),
      sentinel_password: secret.optional(),
      tls: trueOrFalse.optional(),
      ca_file: plainText.optional(),
      server_name: plainText.optional(),
      key_prefix: keyPrefix.optional(),
      command_timeout: commandTimeout.optional(),
    })
    .describe('A Redis behind Sentinel or a Redis Cluster, in place of `redis_url`; and how it is reached.'),
  limits: limitsShape(false).describe('The limits of each API key, unless its own entry says otherwise.'),
  gateway: ownLimits.describe('Limits of all traffic together.'),
  models: z
    .record(z.string(), ownLimits)
    .describe(
      'Limits of all traffic of a model together, by a pattern in which `*` stands for any characters.',
    ),
  tiers: namedBy(tier).describe('Named sets of limits, and of models, for keys, teams and customers.'),
  teams: namedBy(team).describe(
    'Teams: limits of their keys together, of each of them, of their features and customers.',
  ),
  prices: z
    .record(z.string(), z.union([price, z.array(price)]))
    .describe(
      'Prices of models in US dollars, by name or pattern, over the published ones; a list of them for several dates.',
    ),
  alerts: z
    .strictObject({ webhook, secret: secret.optional(), format: oneOf('json', 'slack').optional() })
    .describe('Where to tell that a budget is spent up to a threshold.'),
  ledger: z
    .strictObject({
      path: plainText.optional(),
      postgres_url: postgresUrl.optional(),
      keep: keep.optional(),
      queue: queue.optional(),
    })
    .describe('One record of each settled request, for reports and chargeback.'),
  upstreams: upstreamsShape,
  keys: z
    .array(
      z.strictObject({
        id,
        key: secret.optional(),
        key_hash: keyHash.optional(),
        team: id.optional(),
        tier: id.optional(),
        models: modelRules.optional(),
        limits: limitsShape(true).optional(),
        upstream_key: secret.optional(),
        expires: expires.optional(),
      }),
    )
    .describe('The API keys that clients may use.'),
  api_keys: z
    .record(z.string(), secret)
    .describe('The older short form of `keys`: client key to upstream key.'),
};
