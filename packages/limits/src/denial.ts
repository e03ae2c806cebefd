import type { BucketLimit, Demand, Denied, OwnerLimits } from '@nexus/domain';
import { type BucketState, freeGrains, grainsPerUnit, hasRoom, unitsAsked, waitMs } from './bucket.ts';
import { sizeOf } from './limit-problem.ts';
import { type OwnerRecord, recordTimeMs, stateOf } from './owner-record.ts';

/** What a denial says of the bucket that refused. */
export type Denial = Pick<Denied, 'refusal' | 'retryAfterMs'>;

/** Asks every bucket of every owner, and changes none. Undefined: all have room. */
export function denialOf(
  owners: readonly OwnerLimits[],
  demand: Demand,
  records: ReadonlyMap<string, OwnerRecord>,
  clockMs: number,
): Denial | undefined {
  let longest: Denial | undefined;
  for (const { owner, buckets } of owners) {
    const record = records.get(owner);
    const nowMs = recordTimeMs(record, clockMs);
    for (let place = 0; place < buckets.length; place += 1) {
      const limit = buckets[place];
      if (!limit) continue;
      const units = unitsAsked(limit, demand);
      const state = stateOf(record, limit, place);
      if (hasRoom(state, limit, units, nowMs)) continue;
      const wait = waitMs(state, limit, units, nowMs);
      // After a clock was set back, a record's time stands still until the clock has come up to it.
      const retryAfterMs = wait === 'never' ? wait : wait + (nowMs - clockMs);
      if (longest && !isLonger(retryAfterMs, longest.retryAfterMs)) continue;
      longest = { refusal: refusalOf(owner, limit, state, units, nowMs), retryAfterMs };
    }
  }
  return longest;
}

function refusalOf(
  owner: string,
  limit: BucketLimit,
  state: BucketState | undefined,
  requested: number,
  nowMs: number,
): Denied['refusal'] {
  const size = sizeOf(limit);
  const used = size - Math.floor(freeGrains(state, limit, nowMs) / grainsPerUnit(limit));
  return { owner, limit, used, requested, size };
}

function isLonger(wait: number | 'never', than: number | 'never'): boolean {
  if (than === 'never') return false;
  return wait === 'never' || wait > than;
}
