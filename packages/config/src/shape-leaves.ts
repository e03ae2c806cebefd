import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDate } from './expiry.ts';
import { FORMATS, type JsonSchema, parseAddress } from './formats.ts';
import { isModelPattern } from './model-pattern.ts';
import { BROKEN, type Finding } from './problems.ts';
import { parseDuration, parseUsd, parseWhole } from './quantity.ts';

/** A leaf that says itself what is wrong with it. */
export function leaf(check: (value: unknown) => Finding | undefined, json: JsonSchema) {
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

/** The name that logs and metrics show. */
export const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** As `key_hash` is written. */
const KEY_HASH = /^hmac-sha256:[0-9a-f]{64}$/;
/** Looks like the id of an unlisted key, which is made from its hash. */
const HASH_ID = /^key-[0-9a-f]{12}$/;

/** The name of a key, a team, a tier or a feature. */
export const id = leaf(
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

/** A mapping whose names are plain ones. */
export function namedBy<T extends z.ZodType>(shape: T) {
  return z.record(z.string(), shape).superRefine((mapping, context) => {
    for (const name of Object.keys(mapping))
      if (!ID.test(name)) {
        const remedy = 'write 1 to 64 letters, digits, `.`, `_` or `-`';
        context.addIssue({
          code: 'custom',
          message: 'is not a plain name',
          params: { remedy },
          path: [name],
        });
      }
  });
}

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
export const secret = leaf(
  (value) => (typeof value === 'string' && value.startsWith('file:') ? undefined : secretFinding(value)),
  { type: 'string', minLength: 1 },
);

/** When a key ends. */
export const expires = leaf(
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

/** One of `trusted_proxies`. */
export const network = leaf(
  (value) =>
    isNetwork(value)
      ? undefined
      : {
          wrong: 'is neither an address nor a network',
          remedy: 'write such as 10.0.0.0/8, 192.0.2.7 or fd00::/8',
        },
  { type: 'string' },
);

/** `host:port`. */
export const redisAddress = leaf(
  (value) =>
    typeof value === 'string' && parseAddress(value) !== undefined
      ? undefined
      : { wrong: 'is not host:port', remedy: 'write such as redis-1:6379 or "[fd00::1]:6379"' },
  { type: 'string', pattern: String.raw`^.+:\d{1,5}$` },
);

/** Any text but an empty one. */
export const plainText = leaf(
  (value) =>
    typeof value === 'string' && value !== ''
      ? undefined
      : { wrong: 'is not text', remedy: 'put it in quotes' },
  { type: 'string', minLength: 1 },
);

/** A hash tag is made of it. */
export const keyPrefix = leaf(
  (value) =>
    typeof value === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(value)
      ? undefined
      : { wrong: 'is not a plain name', remedy: 'write 1 to 64 letters, digits, `.`, `_` or `-`' },
  { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
);

/** A connection that is silent for longer is made anew, whatever is waited for. */
const LONGEST_ANSWER_MS = 2_000;

/** How long an answer of Redis may take. */
export const commandTimeout = leaf((value) => {
  const { read } = FORMATS['nexus-timeout'];
  const found = read(value);
  if (!found.ok) return found;
  return typeof found.value === 'number' && found.value > LONGEST_ANSWER_MS
    ? { wrong: 'is too long', remedy: 'write at most 2s' }
    : undefined;
}, FORMATS['nexus-timeout'].json);

/** true or false, as YAML or as text. */
export const trueOrFalse = leaf(
  (value) =>
    FORMATS['nexus-boolean'].read(value).ok
      ? undefined
      : { wrong: 'is neither true nor false', remedy: 'write true or false' },
  FORMATS['nexus-boolean'].json,
);

/** One word of a few. */
export function oneOf(...words: readonly string[]) {
  return leaf(
    (value) =>
      typeof value === 'string' && words.includes(value)
        ? undefined
        : { wrong: 'is none of its choices', remedy: `write ${words.join(' or ')}` },
    { enum: words },
  );
}

/** Which models may be called: patterns, those that begin with `!` forbid. */
export const modelRules = z
  .array(
    leaf(
      (value) =>
        typeof value === 'string' && isModelPattern(value.replace(/^!/, ''))
          ? undefined
          : {
              wrong:
                'is no model pattern: it holds other characters than letters, digits and . * : @ / + _ -',
              remedy: 'write such as "gpt-4o*", or "!*-audio*" to forbid',
            },
      { type: 'string', minLength: 1 },
    ),
  )
  .min(1, { message: 'lists no model' });

/** The id of a key, in which `*` stands for any characters. */
export const keyPattern = leaf(
  (value) =>
    typeof value === 'string' && /^[A-Za-z0-9._*-]{1,64}$/.test(value)
      ? undefined
      : { wrong: 'is no pattern of key ids', remedy: 'write such as search-prod or "backend-*"' },
  { type: 'string', pattern: '^[A-Za-z0-9._*-]{1,64}$' },
);

/** The digest that `nexus keys hash` prints. */
export const keyHash = leaf(
  (value) =>
    typeof value === 'string' && KEY_HASH.test(value)
      ? undefined
      : { wrong: 'is not what `nexus keys hash` prints', remedy: 'write hmac-sha256: and 64 hex digits' },
  { type: 'string', pattern: KEY_HASH.source },
);

/** A day of the calendar. */
export const date = leaf(
  (value) =>
    typeof value === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(value) && parseDate(value, 'UTC') !== undefined
      ? undefined
      : { wrong: 'is not a day', remedy: 'write such as 2026-11-01' },
  { type: 'string', pattern: String.raw`^\d{4}-\d{2}-\d{2}$` },
);

/** An amount of US dollars, not below 0. */
export const usd = leaf(
  (value) =>
    parseUsd(value) === undefined
      ? { wrong: 'is no amount of US dollars', remedy: 'write such as 0.5, with nine decimals at most' }
      : undefined,
  { anyOf: [{ type: 'number', minimum: 0 }, { type: 'string' }] },
);

/** Where alerts are posted. The address may be a secret by itself, and is never repeated. */
export const webhook = leaf(
  (value) =>
    typeof value === 'string' && (value.startsWith('file:') || webhookFinding(value) === undefined)
      ? undefined
      : WEBHOOK,
  { type: 'string', pattern: '^(https?://|file:)' },
);

const WEBHOOK: Finding = {
  wrong: 'is no URL of http or https',
  remedy: 'write such as https://hooks.company.com/nexus',
};

/** What is wrong with the address of a webhook. */
export function webhookFinding(text: string): Finding | undefined {
  return /^https?:\/\/[^/]/.test(text) && URL.canParse(text) && !/\s/.test(text) ? undefined : WEBHOOK;
}

const SHORTEST_KEEP_MS = 86_400_000;

/** How long records are kept: whole days at least. */
export const keep = leaf(
  (value) => {
    const ms = typeof value === 'string' ? parseDuration(value) : undefined;
    if (ms === undefined) return { wrong: 'is no duration', remedy: 'write such as 400d' };
    return ms < SHORTEST_KEEP_MS ? { wrong: 'is too short', remedy: 'write 1d at least' } : undefined;
  },
  { type: 'string', pattern: String.raw`^\d+(\.\d+)?(h|d)$` },
);

const SHORTEST_QUEUE = 10;
const LONGEST_QUEUE = 1_000_000;

/** How many records may wait. */
export const queue = leaf(
  (value) => {
    const count = parseWhole(value);
    return count !== undefined && count >= SHORTEST_QUEUE && count <= LONGEST_QUEUE
      ? undefined
      : {
          wrong: 'is no number of records',
          remedy: `write ${SHORTEST_QUEUE} to ${LONGEST_QUEUE}, such as 100000`,
        };
  },
  { type: 'integer', minimum: SHORTEST_QUEUE, maximum: LONGEST_QUEUE },
);

const POSTGRES: Finding = {
  wrong: 'is no address of PostgreSQL',
  remedy: `write such as postgres://nexus:\${PASSWORD}@db:5432/nexus`,
};

/** What is wrong with the address of PostgreSQL. It holds a password and is never repeated. */
export function postgresUrlFinding(text: string): Finding | undefined {
  return /^postgres(ql)?:\/\/[^/]/.test(text) && URL.canParse(text) && !/\s/.test(text)
    ? undefined
    : POSTGRES;
}

/** Where PostgreSQL is; an empty text is what a variable leaves that is not set. */
export const postgresUrl = leaf(
  (value) =>
    typeof value === 'string' && (value === '' || value.startsWith('file:') || !postgresUrlFinding(value))
      ? undefined
      : POSTGRES,
  { type: 'string', pattern: '^(postgres(ql)?://.+|file:.+|)$' },
);
