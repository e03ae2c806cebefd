import { setTimeout as setTimer } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import type { RedisClient } from './scripts.ts';

/** Where Redis is, and how to speak with it. Exactly one of `url`, `sentinels` and `cluster`. */
export interface RedisSettings {
  /** `redis://user:password@host:6379/0`; `rediss://` for TLS. */
  readonly url?: string;
  /** Sentinels as `host:port`, and the name of the master that they watch. */
  readonly sentinels?: readonly string[];
  readonly name?: string;
  /** Some nodes of a cluster, as `host:port`; it tells the others. */
  readonly cluster?: readonly string[];
  /** For sentinels and cluster; a URL has its own. */
  readonly username?: string;
  readonly password?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
  /** For TLS: PEM of the authorities that are trusted instead of the system's. With sentinels and cluster, `true` alone turns TLS on. */
  readonly tls?: true | { readonly ca?: string; readonly servername?: string };
  /** How long a call may take before it counts as failed. Default 75. */
  readonly commandTimeoutMs?: number;
}

/** Two connections to the same Redis: admissions never queue behind anything else. */
export interface Connections {
  readonly admitting: RedisClient;
  readonly ending: RedisClient;
  /** How long a script's answer may take. */
  readonly answerWithinMs: number;
  /** Resolves once both are ready, after `withinMs` at the latest; whether they are. */
  untilReady(withinMs: number): Promise<boolean>;
  /** Ends both now. */
  close(): void;
}

const COMMAND_TIMEOUT_MS = 75;
const CONNECT_TIMEOUT_MS = 1_000;
/** A connection that answers nothing for so long is made anew: the other side may be gone without a word. */
const SILENT_MS = 2_000;
const READY_LOOK_MS = 5;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 300;

/**
 * The only options with which ioredis is safe here. By default it keeps commands for a Redis that is away and sends those again
 * whose answer was lost: a request would wait for ever, or be charged twice.
 */
export function redisOptions(settings: RedisSettings = {}) {
  const { username, password, tls } = settings;
  return {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Scripts have a shorter time of their own (answer-in-time.ts), in which this process' own standstills don't count.
    commandTimeout: SILENT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENT_MS,
    enableAutoPipelining: false,
    // RESP2: every Redis since 2.6 and every stand-in for it speaks it.
    protocol: 2 as const,
    disableClientInfo: true,
    connectionName: 'nexus',
    noDelay: true,
    keepAlive: 10_000,
    retryStrategy: retryMs,
    // A replica that was a master until now: its address may belong to the new master after the next look-up.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    // A Redis that reads its file from disk answers LOADING: it is asked again soon, not after what it guesses.
    maxLoadingRetryTime: RETRY_MAX_MS,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tls === true ? {} : { ...tls } }),
  };
}

/**
 * Connects, and keeps trying for as long as it isn't closed. Nothing is thrown where Redis is away: it may come later.
 * @param onError hears of every connection that fails; the same cause may come again and again
 * @throws TypeError if the settings name no Redis, or a URL that isn't one
 */
export function connectRedis(settings: RedisSettings, onError: (error: unknown) => void): Connections {
  const connections = [connectOnce(settings, onError), connectOnce(settings, onError)] as const;
  const [{ client: admitting }, { client: ending }] = connections;
  let isClosed = false;
  return {
    admitting,
    ending,
    answerWithinMs: settings.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
    async untilReady(withinMs) {
      const untilMs = performance.now() + withinMs;
      const areReady = () => connections.every(({ client }) => client.status === 'ready');
      while (!areReady() && !isClosed && performance.now() < untilMs) await setTimeout(READY_LOOK_MS);
      return areReady();
    },
    close() {
      isClosed = true;
      for (const connection of connections) connection.close();
    },
  };
}

/** One connection, that is made again and again until it is closed. */
export interface Connection {
  readonly client: RedisClient;
  close(): void;
}

/** As `connectRedis`, for what may wait: one connection by itself. Its calls fail after two seconds. */
export function connectOnce(settings: RedisSettings, onError: (error: unknown) => void): Connection {
  const client = connectOne(settings);
  let isClosed = false;
  const reconnect = () => {
    if (!isClosed && client.status === 'end') client.connect().catch(onError);
  };
  client.on('error', onError);
  // ioredis gives up where a connection is broken while it looks for the master.
  client.on('end', () => {
    if (!isClosed) setTimer(reconnect, retryMs(1)).unref();
  });
  return {
    client,
    close() {
      isClosed = true;
      client.disconnect();
    },
  };
}

function connectOne(settings: RedisSettings): RedisClient {
  const options = redisOptions(settings);
  const { url, sentinels, cluster, name } = settings;
  if (url !== undefined) {
    if (!/^rediss?:\/\//.test(url) || !URL.canParse(url))
      throw new TypeError('The URL of Redis must begin with redis:// or rediss://');
    return new Redis(url, options);
  }
  if (sentinels !== undefined) {
    if (name === undefined) throw new TypeError('Sentinels must be told the name of the master');
    const { sentinelUsername, sentinelPassword, tls } = settings;
    return new Redis({
      ...options,
      sentinels: sentinels.map(address),
      name,
      sentinelRetryStrategy: retryMs,
      sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
      // ioredis' failoverDetector is left out: a failover that it hears of while it connects ends the connection for ever.
      ...(tls === undefined ? {} : { enableTLSForSentinelMode: true }),
      ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
      ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    });
  }
  if (cluster === undefined) throw new TypeError('There is no address of a Redis');
  return new Cluster(cluster.map(address), {
    redisOptions: options,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryMs,
    // One move is normal; a slot that is under way between two nodes is away.
    maxRedirections: 2,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    slotsRefreshInterval: 2_000,
    // Nodes may name themselves by an address that only they know; a look-up of their name takes time that nobody has.
    dnsLookup: (host, found) => found(null, host),
  });
}

/** Between 50 and 300 ms, at random: a Redis that comes back isn't greeted by all instances at once. */
function retryMs(times: number): number {
  const mostMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(times, 8));
  return RETRY_MIN_MS + Math.random() * (mostMs - RETRY_MIN_MS);
}

function address(text: string): { host: string; port: number } {
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text);
  const [, host, port] = match ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535)
    throw new TypeError(`${JSON.stringify(text)} is no address of a Redis; write host:port`);
  return { host, port: Number(port) };
}
