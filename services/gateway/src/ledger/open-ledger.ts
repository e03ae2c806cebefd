import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Config, LedgerSettings, SharedRedis } from '@nexus/config';
import type { Ledger, LedgerChange, UsageSource } from '@nexus/ledger';
import { connectOnce, type RecordStream } from '@nexus/limits';
import type { Log } from '@nexus/observe';

/** What of the configuration says where the ledger is. */
type LedgerConfig = Pick<Config, 'ledger' | 'redis' | 'timeZone'>;

/** Where the limiter writes records, where instances share a ledger. */
export async function recordStream({ ledger, redis }: LedgerConfig): Promise<RecordStream | undefined> {
  if (ledger === undefined || redis === undefined) return undefined;
  const { ledgerKeys, MOST_ON_THEIR_WAY } = await import('@nexus/ledger');
  const { stream, lost } = ledgerKeys(redis.keyPrefix);
  return { stream, lost, most: ledger.queue ?? MOST_ON_THEIR_WAY };
}

/** Whether the ledger still knows what was used when the limiter has forgotten it: it isn't kept in the same Redis. */
export function outlivesTheLimiter({ ledger, redis }: LedgerConfig): boolean {
  return ledger !== undefined && (redis === undefined || ledger.postgresUrl !== undefined);
}

/** The ledger that the configuration asks for; undefined: none. It opens its files and connections by itself, when it first needs them. */
export async function openLedger(config: LedgerConfig, log: Log): Promise<Ledger | undefined> {
  const { ledger: settings, redis, timeZone } = config;
  if (settings === undefined) return undefined;
  // Loaded only where it is asked for.
  const { OwnLedger, SharedLedger, PostgresLedger, SqliteLedger } = await import('@nexus/ledger');
  const { path, keepMs, postgresUrl, queue } = settings;
  const onChange = (change: LedgerChange) => tell(change, log);
  const postgres = postgresUrl === undefined ? undefined : new PostgresLedger({ url: postgresUrl, timeZone });
  if (redis === undefined)
    return new OwnLedger({
      store: postgres ?? new SqliteLedger({ path, timeZone }),
      keepMs,
      onChange,
      maxWaiting: queue,
    });
  const { client, keys, close } = await reach(redis);
  const consumer = `${process.pid}-${randomUUID()}`;
  const shared = { redis: client, keys, store: postgres, timeZone, keepMs, consumer, most: queue };
  return new SharedLedger({ ...shared, onChange, onClosed: close });
}

/**
 * Where reports are read without a running gateway. Nothing is made and nothing is drained.
 * @throws Error if the file of the ledger isn't there, or isn't one
 */
export async function openUsageSource(
  config: LedgerConfig & { readonly ledger: LedgerSettings },
): Promise<UsageSource> {
  const { ledger: settings, redis, timeZone } = config;
  const { path, keepMs, postgresUrl } = settings;
  const { PostgresLedger, RollUps, SqliteLedger } = await import('@nexus/ledger');
  if (postgresUrl !== undefined) return new PostgresLedger({ url: postgresUrl, timeZone });
  if (redis === undefined) {
    if (!existsSync(path)) throw new Error(`${path} isn't there. It is made with the first record`);
    return new SqliteLedger({ path, timeZone, isReadOnly: true });
  }
  const { client, keys, close } = await reach(redis);
  const sums = new RollUps({ redis: client, keys, timeZone, keepMs });
  return {
    usage: (query) => sums.usage(query),
    modelDays: (since, until) => sums.modelDays(since, until),
    close: async () => close(),
  };
}

/** How long a call waits for its connection. */
const CONNECT_WITHIN_MS = 2_000;

async function reach({ reach: settings, keyPrefix }: SharedRedis) {
  const { ledgerKeys } = await import('@nexus/ledger');
  // What fails is told once, as a change of the ledger's state.
  const { client, close } = connectOnce(settings, () => {});
  const call = async (command: string, args: (string | number)[]) => {
    if (client.status !== 'ready')
      await once(client, 'ready', { signal: AbortSignal.timeout(CONNECT_WITHIN_MS) });
    return client.call(command, args);
  };
  return { client: { call }, keys: ledgerKeys(keyPrefix), close };
}

/** One line a change of the ledger's state. */
function tell({ status, waiting, lost, cause }: LedgerChange, log: Log): void {
  if (status === 'ok') log.info('ledger is written again', { lost });
  else log.error('ledger cannot be written', { waiting, lost, error: cause });
}
