import type { BucketLimit } from '@nexus/domain';
import { type BucketState, belongsTo, fullBucket, isIdle } from './bucket.ts';

/** All buckets of one owner that aren't full. An owner without a record has full buckets. */
export interface OwnerRecord {
  readonly owner: string;
  readonly states: BucketState[];
  /** The last touch. The record's time never goes back, even if the clock does. */
  touchedMs: number;
  /** Forgotten: every bucket was full. Requests that still remember the record have nothing in it. */
  gone: boolean;
}

export function newRecord(owner: string, nowMs: number): OwnerRecord {
  return { owner, states: [], touchedMs: nowMs, gone: false };
}

/**
 * The bucket of a limit; undefined: it is full. `place` is the limit's among its owner's, where its bucket mostly stands too:
 * a first admission makes them in that order.
 */
export function stateOf(
  record: OwnerRecord | undefined,
  limit: BucketLimit,
  place: number,
): BucketState | undefined {
  if (!record) return undefined;
  const { states } = record;
  const likely = states[place];
  if (likely && belongsTo(likely, limit)) return likely;
  for (let index = 0; index < states.length; index += 1) {
    const state = states[index];
    if (state && belongsTo(state, limit)) return state;
  }
  return undefined;
}

/** The bucket of a limit, made full if there is none. */
export function ownState(record: OwnerRecord, limit: BucketLimit, place: number, nowMs: number): BucketState {
  const known = stateOf(record, limit, place);
  if (known) return known;
  const made = fullBucket(limit, nowMs);
  record.states.push(made);
  return made;
}

/** The record's own time: the clock's, but never before its last touch. */
export function recordTimeMs(record: OwnerRecord | undefined, clockMs: number): number {
  return record && record.touchedMs > clockMs ? record.touchedMs : clockMs;
}

/** Whether every bucket is full, so that the record can be forgotten. */
export function isRecordIdle(record: OwnerRecord, clockMs: number): boolean {
  const nowMs = recordTimeMs(record, clockMs);
  for (const state of record.states) if (!isIdle(state, nowMs)) return false;
  return true;
}
