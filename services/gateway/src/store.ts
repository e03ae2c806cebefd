import { createHash } from 'node:crypto';
import type { Config } from '@nexus/config';
import type { Limiter, WindowUse } from '@nexus/domain';
import {
  type Connections,
  connectRedis,
  type InsuranceChange,
  InsuredLimiter,
  MemoryLimiter,
} from '@nexus/limits';
import type { Log } from '@nexus/observe';
import type { Claim } from './alerts/alerts.ts';
import { recordStream } from './ledger/open-ledger.ts';

/** How long a hold lives that nobody renews. The same on every instance. */
export const LEASE_MS = 60_000;

/** Requests that come before the connections are made would be decided alone: so long they are waited for. */
const CONNECT_WITHIN_MS = 2_000;

/** Where the instances' common knowledge is kept: in this process, or in the Redis that all of them share. */
export interface Store {
  readonly limiter: Limiter;
  readonly claim: Claim;
  /** The Redis, where there is one; closed with the limiter. */
  readonly redis?: { readonly connections: Connections; readonly keyPrefix: string };
}

/**
 * Opens the store that the configuration names.
 * @param onRecord what is on record of windows of the calendar, asked when Redis has forgotten something
 */
export async function openStore(
  config: Config,
  log: Log,
  onRecord: () => Promise<readonly WindowUse[]>,
): Promise<Store> {
  const { redis, onRedisFailure } = config;
  if (redis === undefined)
    return { limiter: new MemoryLimiter({ leaseMs: LEASE_MS }), claim: async () => true };
  // What fails is told once, as a change of the limiter's state.
  const connections = connectRedis(redis.reach, () => {});
  const limiter = new InsuredLimiter({
    connections,
    leaseMs: LEASE_MS,
    keyPrefix: redis.keyPrefix,
    onRedisFailure,
    records: await recordStream(config),
    onState: (change) => tell(change, log),
    onRecord,
  });
  await connections.untilReady(CONNECT_WITHIN_MS);
  const { keyPrefix } = redis;
  return { limiter, claim: claimIn(connections, keyPrefix), redis: { connections, keyPrefix } };
}

/** One key for each alert that was told, by its hash. */
function claimIn({ ending }: Connections, keyPrefix: string): Claim {
  return async (id, untilMs) => {
    const key = `{${keyPrefix}}:alert:${createHash('sha256').update(id).digest('base64url').slice(0, 22)}`;
    const forMs = Math.max(1, Math.ceil(untilMs - Date.now()));
    return (await ending.call('set', [key, '1', 'NX', 'PX', forMs])) !== null;
  };
}

/** One line a change of the limiter's state. */
function tell(change: InsuranceChange, log: Log): void {
  const { status, decides, instances, wasEmptied, cause, awayMs } = change;
  const facts = { decides, instances, was_emptied: wasEmptied };
  if (status === 'degraded') log.warn('redis is away', { ...facts, error: cause });
  else if (awayMs === undefined) log.warn('redis was emptied', facts);
  else log.info('redis is back', { ...facts, away_ms: Math.round(awayMs) });
}
