import type { Config } from '@nexus/config';
import type { Limiter } from '@nexus/domain';
import { connectRedis, type InsuranceChange, InsuredLimiter, MemoryLimiter } from '@nexus/limits';
import type { Log } from '@nexus/observe';

/** How long a hold lives that nobody renews. The same on every instance. */
export const LEASE_MS = 60_000;

/** Requests that come before the connections are made would be decided alone: so long they are waited for. */
const CONNECT_WITHIN_MS = 2_000;

/** The keeper of the buckets: this process, or the Redis that all instances share. */
export async function makeLimiter({ redis, onRedisFailure }: Config, log: Log): Promise<Limiter> {
  if (redis === undefined) return new MemoryLimiter({ leaseMs: LEASE_MS });
  // What fails is told once, as a change of the limiter's state.
  const connections = connectRedis(redis.reach, () => {});
  const limiter = new InsuredLimiter({
    connections,
    leaseMs: LEASE_MS,
    keyPrefix: redis.keyPrefix,
    onRedisFailure,
    onState: (change) => tell(change, log),
  });
  await connections.untilReady(CONNECT_WITHIN_MS);
  return limiter;
}

/** One line a change of the limiter's state. */
function tell(change: InsuranceChange, log: Log): void {
  const { status, decides, instances, wasEmptied, cause, awayMs } = change;
  const facts = { decides, instances, was_emptied: wasEmptied };
  if (status === 'degraded') log.warn('redis is away', { ...facts, error: cause });
  else if (awayMs === undefined) log.warn('redis was emptied', facts);
  else log.info('redis is back', { ...facts, away_ms: Math.round(awayMs) });
}
