import { isIP } from 'node:net';
import type { Finding } from './problems.ts';
import { parseDuration, parseSize, parseWhole } from './quantity.ts';

/** What a scalar setting's value turned out to be. */
export type Checked =
  | { readonly ok: true; readonly value: string | number | boolean }
  | { readonly ok: false; readonly wrong: string; readonly remedy: string };

export type JsonSchema = Readonly<Record<string, unknown>>;

/** One kind of scalar: how it is read from a YAML value, a variable or a flag, and how editors may check it. */
export interface Format {
  /** As the documentation calls it. */
  readonly title: string;
  readonly json: JsonSchema;
  /** The type of a value once read. */
  readonly holds: 'number' | 'string' | 'boolean';
  /** Says what is wrong with "`name` …"; the caller puts the name in front. */
  readonly read: (raw: unknown) => Checked;
}

const value = (of: string | number | boolean): Checked => ({ ok: true, value: of });
const no = (wrong: string, remedy: string): Checked => ({ ok: false, wrong, remedy });

/** setTimeout takes at most 2^31 − 1 ms; what is more fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
/** A metered body is held in memory. */
const LARGEST_BODY_BYTES = 2 ** 30;

const port: Format = {
  title: 'port',
  holds: 'number',
  json: { type: 'integer', minimum: 0, maximum: 65_535 },
  read(raw) {
    const number = parseWhole(raw);
    if (number !== undefined && number <= 65_535) return value(number);
    return no('is not a port', 'write a whole number from 0 (any free port) to 65535');
  },
};

const bool: Format = {
  title: 'true or false',
  holds: 'boolean',
  json: { type: 'boolean' },
  read(raw) {
    if (raw === true || raw === 'true') return value(true);
    if (raw === false || raw === 'false') return value(false);
    return no('is neither true nor false', 'write true or false');
  },
};

function oneOf(...options: string[]): Format {
  return {
    title: options.map((option) => `\`${option}\``).join(', '),
    holds: 'string',
    json: { enum: options },
    read(raw) {
      if (typeof raw === 'string' && options.includes(raw)) return value(raw);
      return no('is none of its choices', `write ${options.join(' or ')}`);
    },
  };
}

function duration(leastMs: number): Format {
  return {
    title: 'duration',
    holds: 'number',
    json: { type: 'string', pattern: String.raw`^\d+(\.\d+)?(ms|s|m|h|d)$` },
    read(raw) {
      const ms = typeof raw === 'string' ? parseDuration(raw) : undefined;
      if (ms === undefined) {
        const whole = parseWhole(raw);
        const example = whole === undefined ? '250ms, 10s or 5m' : `${whole}s or ${whole}ms`;
        return no(whole === undefined ? 'is not a duration' : 'has no unit', `write ${example}`);
      }
      if (ms < leastMs) return no('is too short', `write at least ${leastMs}ms`);
      if (ms > LONGEST_TIMEOUT_MS) return no('is too long', 'write at most 24d');
      return value(ms);
    },
  };
}

const size: Format = {
  title: 'size',
  holds: 'number',
  json: { type: 'string', pattern: String.raw`^\d+(\.\d+)?([Bb]|[KkMmGg][Bb])$` },
  read(raw) {
    const bytes = typeof raw === 'string' ? parseSize(raw) : undefined;
    if (bytes === undefined) {
      const whole = parseWhole(raw);
      if (whole !== undefined) return no('has no unit', `write ${whole}B, or such as 10MB`);
      return no('is not a size', 'write such as 10MB or 512KB');
    }
    if (bytes < 1) return no('is too small', 'write at least 1B');
    if (bytes > LARGEST_BODY_BYTES) return no('is too large', 'write at most 1GB');
    return value(bytes);
  },
};

/** A host name (RFC 1123 §2.1) or an address. */
function isHost(host: string): boolean {
  if (isIP(host) !== 0) return true;
  // Digits and dots alone are an address that went wrong.
  if (host.length > 253 || /^[\d.]+$/.test(host)) return false;
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(host);
}

const host: Format = {
  title: 'host name or address',
  holds: 'string',
  json: { type: 'string' },
  read(raw) {
    if (typeof raw === 'string' && isHost(raw)) return value(raw);
    return no('is neither a host name nor an address', 'write such as 0.0.0.0, 127.0.0.1 or ::');
  },
};

const upstreamUrl: Format = {
  title: 'URL',
  holds: 'string',
  json: { type: 'string', pattern: '^https?://' },
  read(raw) {
    const remedy = 'write such as https://api.openai.com';
    if (typeof raw !== 'string' || !URL.canParse(raw) || raw !== raw.trim())
      return no('is not a URL', remedy);
    const url = new URL(raw);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return no('is neither http nor https', remedy);
    // `https:api` and `https:/api` parse too; nobody means them.
    if (!/^https?:\/\/[^/\\]/i.test(raw) || raw.includes('\\')) return no('is not a URL', remedy);
    if (url.username !== '' || url.password !== '' || /^https?:\/\/[^/?#]*@/i.test(raw)) {
      return no('holds credentials', 'take them out, and give keys an `upstream_key`');
    }
    if (raw.includes('?') || raw.includes('#'))
      return no('has a query or a fragment', 'end it with its path');
    return value(url.href);
  },
};

const redisUrl: Format = {
  title: 'URL, or `file:` and a path',
  holds: 'string',
  json: { type: 'string', pattern: '^(rediss?://|file:)' },
  read(raw) {
    if (typeof raw === 'string' && raw.startsWith('file:') && raw.length > 'file:'.length) return value(raw);
    const finding = redisUrlFinding(raw);
    return finding === undefined && typeof raw === 'string' ? value(raw) : { ok: false, ...REDIS_URL };
  },
};

const REDIS_URL: Finding = {
  wrong: 'is not the URL of a Redis',
  remedy:
    'write such as redis://redis:6379, rediss://user:password@redis:6380/0 or file:/run/secrets/redis_url',
};

/** What is wrong with the URL of a Redis, which may hold a password. */
export function redisUrlFinding(raw: unknown): Finding | undefined {
  if (typeof raw !== 'string' || !/^rediss?:\/\/[^/]/.test(raw) || !URL.canParse(raw)) return REDIS_URL;
  const { hostname, pathname, search, hash } = new URL(raw);
  const isWhole = hostname !== '' && /^\/?\d{0,4}$/.test(pathname) && search === '' && hash === '';
  return isWhole && !/\s/.test(raw) ? undefined : REDIS_URL;
}

const unknownModel: Format = {
  title: '`tokens_only`, `refuse`, `assume:` and a model',
  holds: 'string',
  json: { type: 'string', pattern: '^(tokens_only|refuse|assume:.+)$' },
  read(raw) {
    if (raw === 'tokens_only' || raw === 'refuse') return value(raw);
    if (typeof raw === 'string' && /^assume:[\w.:@/+-]{1,128}$/.test(raw)) return value(raw);
    return no('is none of its choices', 'write tokens_only, refuse or such as assume:gpt-4o');
  },
};

const path: Format = {
  title: 'path',
  holds: 'string',
  json: { type: 'string', minLength: 1 },
  read(raw) {
    if (typeof raw === 'string' && raw !== '' && !raw.includes('\0')) return value(raw);
    return no('is not a path', 'write the path of a file');
  },
};

const timeZone: Format = {
  title: 'IANA time zone',
  holds: 'string',
  json: { type: 'string' },
  read(raw) {
    if (typeof raw === 'string' && isTimeZone(raw)) return value(raw);
    return no('is not an IANA time zone', 'write such as UTC, Europe/Berlin or America/New_York');
  },
};

/** Whether Intl knows the name. Bare offsets (`+02:00`) are no zones: they don't say when summer begins. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** `127.0.0.1:9090` or `[::1]:9090`; undefined if it is neither. */
export function parseAddress(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const name = bracketed ?? plain;
  const number = Number(digits);
  if (name === undefined || !isHost(name) || !(number <= 65_535)) return undefined;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  return { host: name, port: number };
}

const address: Format = {
  title: 'host:port',
  holds: 'string',
  json: { type: 'string', pattern: String.raw`^.+:\d{1,5}$` },
  read(raw) {
    if (typeof raw === 'string' && parseAddress(raw) !== undefined) return value(raw);
    return no('is not host:port', 'write such as 127.0.0.1:9090 or "[::1]:9090"');
  },
};

/** Every kind of scalar, by the name that the schema refers to. */
export const FORMATS = {
  'nexus-port': port,
  'nexus-boolean': bool,
  'nexus-log-level': oneOf('debug', 'info', 'warn', 'error'),
  'nexus-reserve': oneOf('learned', 'strict'),
  'nexus-on-disconnect': oneOf('cancel', 'drain'),
  'nexus-timeout': duration(1),
  'nexus-grace': duration(0),
  'nexus-size': size,
  'nexus-host': host,
  'nexus-unknown-model': unknownModel,
  'nexus-on-redis-failure': oneOf('local', 'closed', 'open'),
  'nexus-redis-url': redisUrl,
  'nexus-url': upstreamUrl,
  'nexus-path': path,
  'nexus-time-zone': timeZone,
  'nexus-address': address,
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;
