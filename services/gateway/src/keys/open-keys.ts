import type { Config } from '@nexus/config';
import { IssuedKeys, type IssuedKeysChange, type KeyKeeper, RedisKeyKeeper } from '@nexus/keys';
import { connectOnce } from '@nexus/limits';
import type { Log } from '@nexus/observe';
import type { Store } from '../store.ts';

/** The keys that were issued, as this instance knows them, and where they are changed. */
export interface Keys {
  readonly keeper: KeyKeeper;
  readonly issued: IssuedKeys;
  close(): void;
}

/** Opens the issued keys in the store of a gateway, and keeps them fresh. Where they can't be read the log says so, and they are asked for again. */
export async function openKeys(
  config: Config,
  { redis }: Store,
  nowMs: () => number,
  log: Log,
): Promise<Keys> {
  const keeper = redis
    ? new RedisKeyKeeper(redis.connections.ending, redis.keyPrefix)
    : await fileKeeper(config);
  const issued = new IssuedKeys({ keeper, nowMs, onChange: (change) => tell(change, log) });
  await issued.start();
  return {
    keeper,
    issued,
    close() {
      issued.close();
      keeper.close();
    },
  };
}

/** How long a command waits for Redis. */
const REACH_WITHIN_MS = 3_000;
const REACH_LOOK_MS = 10;

/**
 * The keeper that a configuration names, for a command beside the gateways.
 * @throws Error if Redis doesn't answer
 */
export async function openKeeper(config: Config): Promise<KeyKeeper> {
  const { redis } = config;
  if (redis === undefined) return fileKeeper(config);
  let cause: unknown;
  const connection = connectOnce(redis.reach, (error) => {
    cause = error;
  });
  const untilMs = performance.now() + REACH_WITHIN_MS;
  while (connection.client.status !== 'ready' && performance.now() < untilMs)
    await new Promise((resolve) => setTimeout(resolve, REACH_LOOK_MS));
  if (connection.client.status !== 'ready') {
    connection.close();
    throw new Error(`Redis at ${redis.shown} doesn't answer`, { cause });
  }
  return new RedisKeyKeeper(connection.client, redis.keyPrefix, { onClose: () => connection.close() });
}

/** Loaded only where it is needed. */
async function fileKeeper({ keyFile }: Config): Promise<KeyKeeper> {
  const { SqliteKeyKeeper } = await import('@nexus/keys/sqlite');
  return new SqliteKeyKeeper(keyFile);
}

/** One line a change of the state. */
function tell(change: IssuedKeysChange, log: Log): void {
  if (change.what === 'away') log.warn('issued keys cannot be read', { error: change.cause });
  else if (change.what === 'back') log.info('issued keys are read again');
  else log.warn('issued keys put back', { keys: change.records });
}
