import type { Admission, BucketLimit } from '@nexus/domain';
import {
  type BucketState,
  firstRoomMs,
  hasRoom,
  hasStarts,
  rememberedMs,
  unitsAsked,
  waitMs,
} from './bucket.ts';
import { type Denial, denialOf } from './denial.ts';
import { type OwnerRecord, recordTimeMs, stateOf } from './owner-record.ts';

/** A request may wait for an hour at most: longer waits are a quota's, and nobody's socket lasts them. */
const LONGEST_WAIT_MS = 3_600_000;

type Records = ReadonlyMap<string, OwnerRecord>;

/** One bucket that a request asks for units, and its owner's time. */
interface Asked {
  readonly state: BucketState | undefined;
  readonly limit: BucketLimit;
  readonly units: number;
  readonly nowMs: number;
}

/** How long an admission may wait, in whole milliseconds. */
export function mostWaitMs({ maxWaitMs = 0 }: Pick<Admission, 'maxWaitMs'>): number {
  return maxWaitMs > 0 ? Math.min(Math.floor(maxWaitMs), LONGEST_WAIT_MS) : 0;
}

/**
 * When a request may begin: now, if all its buckets have room; else at the first instant at which all of them are sure to have, if it
 * may wait so long; else not. Changes nothing.
 */
export function startOf(admission: Admission, records: Records, clockMs: number): number | Denial {
  const { owners, demand } = admission;
  const denial = denialOf(owners, demand, records, clockMs);
  if (!denial) return clockMs;
  if (denial.retryAfterMs === 'never') return denial;
  const longestMs = mostWaitMs(admission);
  const startMs = longestMs > 0 ? agreedMs(admission, records, clockMs, longestMs, surelyMs) : undefined;
  if (startMs !== undefined) return startMs;
  if (!haveStarts(admission, records)) return denial;
  // What one bucket has room for at the end of another's wait may be planned for others by then.
  const againMs = agreedMs(admission, records, clockMs, Number.POSITIVE_INFINITY, expectedMs) ?? clockMs;
  return { ...denial, retryAfterMs: Math.max(denial.retryAfterMs, againMs - clockMs) };
}

/** The first instant that suits every bucket; undefined: there is none until the longest wait is over. */
function agreedMs(
  admission: Admission,
  records: Records,
  clockMs: number,
  longestMs: number,
  firstMs: (asked: Asked, fromMs: number) => number | undefined,
): number | undefined {
  let atMs = clockMs;
  for (;;) {
    let nextMs = atMs;
    for (const asked of allAsked(admission, records, clockMs)) {
      // After a clock was set back, a record's time stands still until the clock has come up to it.
      const fromMs = Math.max(asked.nowMs, nextMs);
      const suitsMs = firstMs(asked, fromMs);
      if (suitsMs === undefined) return undefined;
      if (suitsMs > fromMs) nextMs = suitsMs;
    }
    if (nextMs - clockMs > longestMs) return undefined;
    if (nextMs === atMs) return atMs;
    atMs = nextMs;
  }
}

function surelyMs({ state, limit, units, nowMs }: Asked, fromMs: number): number | undefined {
  const roomMs = firstRoomMs(state, limit, units, nowMs, fromMs);
  return roomMs === undefined ? undefined : rememberedMs(state, limit, units, nowMs, roomMs);
}

function expectedMs({ state, limit, units, nowMs }: Asked, fromMs: number): number {
  if (limit.kind === 'rate' && hasStarts(state))
    return firstRoomMs(state, limit, units, nowMs, fromMs) ?? fromMs;
  if (hasRoom(state, limit, units, nowMs)) return fromMs;
  const wait = waitMs(state, limit, units, nowMs);
  return wait === 'never' ? fromMs : Math.max(fromMs, nowMs + wait);
}

function* allAsked({ owners, demand }: Admission, records: Records, clockMs: number): Generator<Asked> {
  for (const { owner, buckets } of owners) {
    const record = records.get(owner);
    const nowMs = recordTimeMs(record, clockMs);
    for (let place = 0; place < buckets.length; place += 1) {
      const limit = buckets[place];
      const units = limit ? unitsAsked(limit, demand) : 0;
      if (limit && units > 0) yield { state: stateOf(record, limit, place), limit, units, nowMs };
    }
  }
}

function haveStarts({ owners }: Admission, records: Records): boolean {
  return owners.some(({ owner }) => records.get(owner)?.states.some(hasStarts) === true);
}
