import convict from 'convict';
import { FORMATS, type FormatName } from './formats.ts';

/** One scalar setting: what it means, what it is without, and where else than in the file it may be given. */
interface ScalarSetting<T> {
  readonly doc: string;
  /** As read: in milliseconds, in bytes. null: absent. */
  readonly default: T | null;
  /** The default as one would write it in the file. */
  readonly shown: string;
  readonly nullable: boolean;
  readonly env: string;
  /** The flag without its dashes. */
  readonly arg: string;
  readonly format: FormatName;
}

/** The scalars once read: durations in milliseconds, sizes in bytes, null where nothing is set. */
export interface ScalarValues {
  listen_port: number;
  listen_host: string;
  target_url: string;
  log_level: 'debug' | 'info' | 'warn' | 'error';
  tls: { cert_file: string | null; key_file: string | null };
  redis_url: string | null;
  on_redis_failure: 'local' | 'closed' | 'open';
  max_wait: number;
  unknown_model: string;
  require_known_keys: boolean | null;
  reserve: 'learned' | 'strict';
  on_disconnect: 'cancel' | 'drain';
  ask_usage: boolean;
  time_zone: string;
  timeouts: { connect: number; first_byte: number; idle: number; drain: number };
  body_limit: number;
  admin: { listen: string | null };
}

type Settings<T> = {
  [K in keyof T]: T[K] extends object ? Settings<T[K]> : ScalarSetting<NonNullable<T[K]>>;
};

/** `timeouts.first_byte` is NEXUS_TIMEOUTS_FIRST_BYTE in the environment and --timeouts-first-byte as a flag. */
function scalar<T>(
  path: string,
  format: FormatName,
  defaultValue: T | null,
  doc: string,
  shown = defaultValue === null ? '' : String(defaultValue),
): ScalarSetting<T> {
  const env = `NEXUS_${path.replaceAll('.', '_').toUpperCase()}`;
  const arg = path.replaceAll(/[._]/g, '-');
  return { doc, default: defaultValue, shown, nullable: defaultValue === null, env, arg, format };
}

/** Every scalar setting, in the order of the documentation. */
const SCALAR_SETTINGS: Settings<ScalarValues> = {
  listen_port: scalar(
    'listen_port',
    'nexus-port',
    8080,
    'The port that applications call. 0: any free port.',
  ),
  listen_host: scalar('listen_host', 'nexus-host', '0.0.0.0', 'The address to listen on.'),
  target_url: scalar(
    'target_url',
    'nexus-url',
    'https://api.openai.com',
    'Where requests go. A path in it is put in front of theirs. It holds no credentials.',
  ),
  log_level: scalar('log_level', 'nexus-log-level', 'info', 'The least important log lines to write.'),
  tls: {
    cert_file: scalar<string>(
      'tls.cert_file',
      'nexus-path',
      null,
      'The certificate chain, PEM. With `key_file`: Nexus speaks HTTPS. Without both: plain HTTP.',
    ),
    key_file: scalar<string>('tls.key_file', 'nexus-path', null, "The certificate's private key, PEM."),
  },
  redis_url: scalar<string>(
    'redis_url',
    'nexus-redis-url',
    null,
    'The Redis in which all instances share their buckets; `rediss://` for TLS. Absent (and no `redis`): the buckets live in this process alone.',
  ),
  on_redis_failure: scalar(
    'on_redis_failure',
    'nexus-on-redis-failure',
    'local',
    "How limits are kept while Redis is away. `local`: each instance keeps its part of them. `closed`: requests get a 503. `open`: limits don't bind. " +
      'In the file also `{ rates, budgets }`: limits per second, minute, hour and slots, and limits per day and month.',
  ),
  max_wait: scalar(
    'max_wait',
    'nexus-grace',
    0,
    'How long a request may wait, in order, for a bucket to refill instead of being refused. It holds its slots meanwhile. No wait is longer than the client has said it waits.',
    '0s',
  ),
  unknown_model: scalar(
    'unknown_model',
    'nexus-unknown-model',
    'tokens_only',
    'What a model costs whose price is not known. `tokens_only`: nothing, its tokens are counted. `refuse`: it may not be called where a budget holds. ' +
      '`assume:gpt-4o`: what that model costs.',
  ),
  require_known_keys: scalar<boolean>(
    'require_known_keys',
    'nexus-boolean',
    null,
    'Whether a key is refused that is neither listed nor issued (`nexus keys`). Default: true as soon as `keys` or `api_keys` are listed. ' +
      'Where it is false, each unknown key is limited by itself with the default `limits`.',
  ),
  reserve: scalar(
    'reserve',
    'nexus-reserve',
    'learned',
    'What is held for an answer before its length is known. `learned`: what such answers usually need. ' +
      "`strict`: the most that the request allows (its `max_tokens` and the like), so that a token limit can't be overdrawn.",
  ),
  on_disconnect: scalar(
    'on_disconnect',
    'nexus-on-disconnect',
    'cancel',
    'When a client leaves in the middle of an answer. `cancel`: stop the upstream and count what was streamed. ' +
      "`drain`: read the answer to its end and count the upstream's own figure.",
  ),
  ask_usage: scalar(
    'ask_usage',
    'nexus-boolean',
    true,
    "Ask the upstream for a stream's usage, and hide the answer from clients who didn't. " +
      'false: for upstreams that refuse `stream_options`.',
  ),
  time_zone: scalar('time_zone', 'nexus-time-zone', 'UTC', 'Where a day and a month begin at midnight.'),
  timeouts: {
    connect: scalar('timeouts.connect', 'nexus-timeout', 2_000, 'To reach the upstream.', '2s'),
    first_byte: scalar(
      'timeouts.first_byte',
      'nexus-timeout',
      600_000,
      "Until the upstream's answer begins. A reasoning model's unstreamed answer takes minutes.",
      '600s',
    ),
    idle: scalar('timeouts.idle', 'nexus-timeout', 120_000, 'Between two pieces of an answer.', '120s'),
    drain: scalar(
      'timeouts.drain',
      'nexus-grace',
      600_000,
      'For requests under way when Nexus is told to stop.',
      '600s',
    ),
  },
  body_limit: scalar('body_limit', 'nexus-size', 10_485_760, 'The largest body of a metered call.', '10MB'),
  admin: {
    listen: scalar<string>(
      'admin.listen',
      'nexus-address',
      null,
      'Where operators look: `/health` with what is under way, `/ready`, and `/metrics` for Prometheus. Absent: nowhere.',
    ),
  },
};

/** A scalar setting with its place in the file. */
export interface ScalarEntry extends ScalarSetting<string | number | boolean> {
  /** E.g. `timeouts.connect`. */
  readonly path: string;
}

/** Every scalar setting as a flat list. */
export const SCALAR_ENTRIES: readonly ScalarEntry[] = listEntries(SCALAR_SETTINGS, '');

function listEntries(settings: object, prefix: string): ScalarEntry[] {
  return Object.entries(settings).flatMap(([name, node]: [string, object]) =>
    isScalarSetting(node) ? [{ ...node, path: `${prefix}${name}` }] : listEntries(node, `${prefix}${name}.`),
  );
}

function isScalarSetting(node: object): node is ScalarSetting<string | number | boolean> {
  return 'format' in node && 'default' in node && 'env' in node;
}

convict.addFormats(
  Object.fromEntries(
    Object.entries(FORMATS).map(([name, format]) => [
      name,
      {
        coerce: (text: unknown) => {
          const checked = format.read(text);
          return checked.ok ? checked.value : text;
        },
        // What could not be read is still text here.
        validate: (read: unknown) => {
          if (typeof read !== format.holds) throw new TypeError(`must be a ${format.holds}`);
        },
      },
    ]),
  ),
);

/** The good values of each source, by path as the source gave them. A stronger source comes later in `sources`. */
export function settleScalars(sources: readonly ReadonlyMap<string, unknown>[]): ScalarValues {
  const settled = convict<ScalarValues>(SCALAR_SETTINGS, { env: {}, args: [] });
  for (const source of sources) {
    // Only paths of the schema are ever set, never a name out of a file: nothing can reach a prototype.
    for (const { path } of SCALAR_ENTRIES) if (source.has(path)) settled.set(path, source.get(path));
  }
  settled.validate({ allowed: 'strict' });
  return settled.getProperties();
}
