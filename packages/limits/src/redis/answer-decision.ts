import type { BucketView, Denied } from '@nexus/domain';
import { windowEndMs } from '../calendar.ts';
import { rateWaitMs } from '../rate-bucket.ts';
import { SLOT_WAIT_MS } from '../slot-bucket.ts';
import type { Answer } from './answer.ts';
import type { Asking } from './asking.ts';
import type { CompiledBucket } from './compiled-owner.ts';

/** What a denial says of the bucket that refused. */
export type Denial = Pick<Denied, 'refusal' | 'retryAfterMs'>;

/** One bucket in an answer. */
interface Told {
  owner: string;
  bucket: CompiledBucket;
  units: number;
  /** Grains. */
  free: number;
  back: number;
  window: number;
  /** The owner's time, and how far Redis' clock is behind it. */
  timeMs: number;
  aheadMs: number;
}

/**
 * Shows every bucket of an answer as it is `laterMs` after Redis gave it, if nothing else happened to it. What is shown is written over for
 * the next one: a call has some ten buckets, and an object for each was 4 % of all memory that it took.
 */
function eachBucket(
  { owners, units }: Asking,
  answer: Answer,
  laterMs: number,
  see: (told: Readonly<Told>) => void,
): void {
  const nowMs = answer.nowMs + laterMs;
  let told: Told | undefined;
  let index = 0;
  let place = 0;
  for (const { owner, buckets } of owners) {
    const storedMs = answer.timesMs[place++] ?? answer.nowMs;
    const timeMs = Math.max(storedMs, nowMs);
    for (const bucket of buckets) {
      told ??= { owner, bucket, units: 0, free: 0, back: 0, window: 0, timeMs, aheadMs: 0 };
      const free = answer.free[index] ?? 0;
      const back = answer.back[index] ?? free;
      told.owner = owner;
      told.bucket = bucket;
      told.units = units[index] ?? 0;
      told.free = refill(bucket, free, back, timeMs - storedMs);
      told.back = back + told.free - free;
      told.window = answer.windows[index] ?? 0;
      told.timeMs = timeMs;
      told.aheadMs = timeMs - nowMs;
      see(told);
      index += 1;
    }
  }
}

export function viewsOf(asking: Asking, answer: Answer, laterMs = 0): BucketView[] {
  const views: BucketView[] = [];
  eachBucket(asking, answer, laterMs, (told) => {
    const { owner, bucket, free } = told;
    const { limit, size, grain } = bucket;
    views.push({
      owner,
      limit,
      size,
      available: Math.floor(free / grain),
      untilFullMs: untilFullMs(told),
    });
  });
  return views;
}

/** The refusal that must wait longest; undefined: all have room, or may have. */
export function denialOf(asking: Asking, answer: Answer, laterMs = 0): Denial | undefined {
  let longest: Denial | undefined;
  eachBucket(asking, answer, laterMs, (told) => {
    if (!hasRoom(told)) longest = longerOf(longest, told);
  });
  // Where requests are to begin, what is free doesn't tell when there is room: Redis does.
  if (!longest || longest.retryAfterMs === 'never' || answer.waitMs === 0) return longest;
  const retryAfterMs = answer.waitMs - laterMs;
  return retryAfterMs > 0 ? { ...longest, retryAfterMs } : undefined;
}

function longerOf(longest: Denial | undefined, told: Told): Denial {
  const { owner, bucket, units, free, aheadMs } = told;
  const wait = waitMs(told);
  const retryAfterMs = wait === 'never' ? wait : wait + aheadMs;
  if (longest && !isLonger(retryAfterMs, longest.retryAfterMs)) return longest;
  const { limit, size, grain } = bucket;
  const used = size - Math.floor(free / grain);
  return { refusal: { owner, limit, used, requested: units, size }, retryAfterMs };
}

/** For how long something is sure, in milliseconds; 0: not at all. */
export interface Sure {
  /** How long no rate bucket can have room. A request that may wait is sure to be refused for so much shorter. */
  readonly waitMs: number;
  /** How long nothing can help that can be waited for. */
  readonly refusedMs: number;
}

/**
 * How long the same or a larger request is sure to be refused, whatever ends meanwhile: as if every hold came back and every
 * charge were cancelled. Infinite where a bucket can never hold as much.
 */
export function sureMs(asking: Asking, answer: Answer): Sure {
  let waitMs = 0;
  let refusedMs = 0;
  eachBucket(asking, answer, 0, (told) => {
    const { bucket, units, back } = told;
    if (units === 0) return;
    const { size, grain, limit } = bucket;
    if (units > size) refusedMs = Number.POSITIVE_INFINITY;
    else if (units * grain <= back) return;
    else if (limit.kind === 'rate') waitMs = Math.max(waitMs, rateWaitMs(back, units * grain, limit));
    else if (limit.kind === 'calendar') refusedMs = Math.max(refusedMs, calendarWaitMs(told));
  });
  return { waitMs, refusedMs };
}

function hasRoom({ bucket, units, free }: Told): boolean {
  return units === 0 || (units <= bucket.size && units * bucket.grain <= free);
}

function waitMs(told: Told): number | 'never' {
  const { bucket, units, free } = told;
  if (units > bucket.size) return 'never';
  if (bucket.limit.kind === 'rate') return rateWaitMs(free, units * bucket.grain, bucket.limit);
  return bucket.limit.kind === 'calendar' ? calendarWaitMs(told) : SLOT_WAIT_MS;
}

function untilFullMs(told: Told): number {
  const { bucket, free } = told;
  const { limit, size, grain } = bucket;
  if (limit.kind === 'concurrency' || size === 0) return 0;
  if (limit.kind === 'rate') return rateWaitMs(free, size * grain, limit);
  return free >= size ? 0 : calendarWaitMs(told);
}

function calendarWaitMs({ bucket: { limit }, window, timeMs }: Told): number {
  return limit.kind === 'calendar' ? windowEndMs(limit.timeZone, limit.period, window) - timeMs : 0;
}

/** `free` after some time, never more than the size less what is held. */
function refill(
  { limit, size, grain }: CompiledBucket,
  free: number,
  back: number,
  passedMs: number,
): number {
  if (limit.kind !== 'rate' || passedMs === 0 || size === 0) return free;
  const held = limit.counts === 'requests' ? 0 : back - free;
  const room = size * grain - held - free;
  const refilled = passedMs * limit.amount;
  return refilled >= room ? free + Math.max(0, room) : free + refilled;
}

function isLonger(wait: number | 'never', than: number | 'never'): boolean {
  if (than === 'never') return false;
  return wait === 'never' || wait > than;
}
