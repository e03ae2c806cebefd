import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDate } from './expiry.ts';
import { FORMATS, type JsonSchema, parseAddress } from './formats.ts';
import { LIMIT_KINDS, type LimitKind, readLimit } from './limit-settings.ts';
import { BROKEN, type Finding } from './problems.ts';

/** A leaf that says itself what is wrong with it. */
function leaf(check: (value: unknown) => Finding | undefined, json: JsonSchema) {
  return z
    .unknown()
    .superRefine((value, context) => {
      if (value === BROKEN) return;
      const finding = check(value);
      if (finding === undefined) return;
      context.addIssue({ code: 'custom', message: finding.wrong, params: { remedy: finding.remedy } });
    })
    .meta({ ...json });
}

const WHOLE: JsonSchema = {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'string', pattern: String.raw`^(\d+|.*\$\{.*)$` },
  ],
};

const limitShape = (name: string, kind: LimitKind['kind'], canLift: boolean) =>
  z
    .unknown()
    .superRefine((value, context) => {
      if (value === BROKEN) return;
      const read = readLimit(name, value, { timeZone: 'UTC' });
      if (read.ok) return;
      for (const { wrong, remedy, at } of read.findings) {
        context.addIssue({
          code: 'custom',
          message: wrong,
          params: { remedy },
          path: at === undefined ? [] : [at],
        });
      }
    })
    .meta({
      anyOf: [
        WHOLE,
        {
          type: 'object',
          properties: {
            limit: WHOLE,
            ...(kind === 'rate' ? { burst: WHOLE } : {}),
            ...(kind === 'size' ? {} : { on_redis_failure: FORMATS['nexus-on-redis-failure'].json }),
          },
          required: ['limit'],
          additionalProperties: false,
        },
        ...(canLift ? [{ const: 'unlimited' }] : []),
      ],
    });

/** A `limits` mapping. `canLift`: a key's own, where `unlimited` lifts a default. */
function limitsShape(canLift: boolean) {
  const limits = [...LIMIT_KINDS].map(([name, { kind }]) => [
    name,
    limitShape(name, kind, canLift).optional(),
  ]);
  const burst = leaf(() => undefined, { ...WHOLE, description: 'The burst of requests_per_second.' });
  return z.strictObject({ ...Object.fromEntries(limits), burst: burst.optional() });
}

const ownLimits = z.strictObject({ limits: limitsShape(false) });

/** The name that logs and metrics show. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Looks like the id of an unlisted key, which is made from its hash. */
const HASH_ID = /^key-[0-9a-f]{12}$/;

const id = leaf(
  (value) => {
    if (typeof value === 'number') return { wrong: 'is a number', remedy: 'put it in quotes' };
    if (typeof value !== 'string' || !ID.test(value)) {
      return { wrong: 'is not a plain name', remedy: 'write 1 to 64 letters, digits, `.`, `_` or `-`' };
    }
    if (HASH_ID.test(value))
      return { wrong: 'has the form of an unlisted key’s id', remedy: 'choose another' };
    return undefined;
  },
  { type: 'string', pattern: ID.source },
);

/** What a credential must be: text that a header can carry (RFC 9110 §5.5), without spaces. Never shown. */
export function secretFinding(value: unknown): Finding | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') {
    return { wrong: 'is not text', remedy: 'put it in quotes' };
  }
  if (typeof value !== 'string')
    return { wrong: 'is not text', remedy: `write the key, \${NAME} or file:/path` };
  if (value === '') return { wrong: 'is empty', remedy: `write the key, \${NAME} or file:/path` };
  if (/^bearer\s/i.test(value)) return { wrong: 'begins with `Bearer`', remedy: 'write the key alone' };
  if (!/^[!-~]+$/.test(value)) {
    return { wrong: 'holds spaces or characters that a header cannot carry', remedy: 'write the key alone' };
  }
  return value.length > 4_096
    ? { wrong: 'is longer than 4096 characters', remedy: 'write the key alone' }
    : undefined;
}

/** Secrets that come from a file are checked once the file has been read. */
const secret = leaf(
  (value) => (typeof value === 'string' && value.startsWith('file:') ? undefined : secretFinding(value)),
  { type: 'string', minLength: 1 },
);

const expires = leaf(
  (value) =>
    typeof value === 'string' && parseDate(value, 'UTC') !== undefined
      ? undefined
      : { wrong: 'is not a date', remedy: 'write such as 2027-03-31 or 2027-03-31T12:00:00Z' },
  { type: 'string', pattern: String.raw`^\d{4}-\d{2}-\d{2}` },
);

/** An address, or a network in CIDR notation. */
function isNetwork(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const [, address = '', prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(value) ?? [];
  const version = isIP(address);
  return version !== 0 && (prefix === undefined || Number(prefix) <= (version === 4 ? 32 : 128));
}

const network = leaf(
  (value) =>
    isNetwork(value)
      ? undefined
      : {
          wrong: 'is neither an address nor a network',
          remedy: 'write such as 10.0.0.0/8, 192.0.2.7 or fd00::/8',
        },
  { type: 'string' },
);

const redisAddress = leaf(
  (value) =>
    typeof value === 'string' && parseAddress(value) !== undefined
      ? undefined
      : { wrong: 'is not host:port', remedy: 'write such as redis-1:6379 or "[fd00::1]:6379"' },
  { type: 'string', pattern: String.raw`^.+:\d{1,5}$` },
);

const plainText = leaf(
  (value) =>
    typeof value === 'string' && value !== ''
      ? undefined
      : { wrong: 'is not text', remedy: 'put it in quotes' },
  { type: 'string', minLength: 1 },
);

/** A hash tag is made of it. */
const keyPrefix = leaf(
  (value) =>
    typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value)
      ? undefined
      : { wrong: 'is not a plain name', remedy: 'write 1 to 64 letters, digits, `.`, `_` or `-`' },
  { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
);

const trueOrFalse = leaf(
  (value) =>
    FORMATS['nexus-boolean'].read(value).ok
      ? undefined
      : { wrong: 'is neither true nor false', remedy: 'write true or false' },
  FORMATS['nexus-boolean'].json,
);

const onRedisFailure = leaf((value) => {
  const read = FORMATS['nexus-on-redis-failure'].read(value);
  return read.ok ? undefined : read;
}, FORMATS['nexus-on-redis-failure'].json);

/** Scalars that may be a mapping in the file: the shape of that. */
export const MAPPING_FORMS: ReadonlyMap<string, z.ZodType> = new Map([
  [
    'on_redis_failure',
    z.strictObject({ rates: onRedisFailure.optional(), budgets: onRedisFailure.optional() }),
  ],
]);

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
    })
    .describe('A Redis behind Sentinel or a Redis Cluster, in place of `redis_url`; and how it is reached.'),
  limits: limitsShape(false).describe('The limits of each API key, unless its own entry says otherwise.'),
  gateway: ownLimits.describe('Limits of all traffic together.'),
  models: z
    .record(z.string(), ownLimits)
    .describe(
      'Limits of all traffic of a model together, by a pattern in which `*` stands for any characters.',
    ),
  keys: z
    .array(
      z.strictObject({
        id,
        key: secret,
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
