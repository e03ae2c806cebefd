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
  readonly owner: string;
  readonly bucket: CompiledBucket;
  readonly units: number;
  /** Grains. */
  readonly free: number;
  readonly back: number;
  readonly window: number;
  /** The owner's time, and how far Redis' clock is behind it. */
  readonly timeMs: number;
  readonly aheadMs: number;
}

/** Every bucket of an answer as it is `laterMs` after Redis gave it, if nothing else happened to it. */
function toldBuckets({ owners, units }: Asking, answer: Answer, laterMs = 0): Told[] {
  const all: Told[] = [];
  let index = 0;
  let place = 0;
  for (const { owner, buckets } of owners) {
    const storedMs = answer.timesMs[place++] ?? answer.nowMs;
    const nowMs = answer.nowMs + laterMs;
    const timeMs = Math.max(storedMs, nowMs);
    const passedMs = timeMs - storedMs;
    for (const bucket of buckets) {
      const free = answer.free[index] ?? 0;
      const back = answer.back[index] ?? free;
      const refilled = refill(bucket, free, back, passedMs);
      all.push({
        owner,
        bucket,
        units: units[index] ?? 0,
        free: refilled,
        back: back + refilled - free,
        window: answer.windows[index] ?? 0,
        timeMs,
        aheadMs: timeMs - nowMs,
      });
      index += 1;
    }
  }
  return all;
}

export function viewsOf(asking: Asking, answer: Answer, laterMs = 0): BucketView[] {
  const views: BucketView[] = [];
  for (const told of toldBuckets(asking, answer, laterMs)) {
    const { owner, bucket, free } = told;
    const { limit, size, grain } = bucket;
    views.push({
      owner,
      limit,
      size,
      available: Math.floor(free / grain),
      untilFullMs: untilFullMs(told),
    });
  }
  return views;
}

/** The refusal that must wait longest; undefined: all have room, or may have. */
export function denialOf(asking: Asking, answer: Answer, laterMs = 0): Denial | undefined {
  let longest: Denial | undefined;
  for (const told of toldBuckets(asking, answer, laterMs)) {
    const { owner, bucket, units, free, aheadMs } = told;
    if (hasRoom(told)) continue;
    const wait = waitMs(told);
    const retryAfterMs = wait === 'never' ? wait : wait + aheadMs;
    if (longest && !isLonger(retryAfterMs, longest.retryAfterMs)) continue;
    const { limit, size, grain } = bucket;
    const used = size - Math.floor(free / grain);
    longest = { refusal: { owner, limit, used, requested: units, size }, retryAfterMs };
  }
  // Where requests are to begin, what is free doesn't tell when there is room: Redis does.
  if (!longest || longest.retryAfterMs === 'never' || answer.waitMs === 0) return longest;
  const retryAfterMs = answer.waitMs - laterMs;
  return retryAfterMs > 0 ? { ...longest, retryAfterMs } : undefined;
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
  for (const told of toldBuckets(asking, answer)) {
    const { bucket, units, back } = told;
    if (units === 0) continue;
    const { size, grain, limit } = bucket;
    if (units > size) refusedMs = Number.POSITIVE_INFINITY;
    else if (units * grain <= back) continue;
    else if (limit.kind === 'rate') waitMs = Math.max(waitMs, rateWaitMs(back, units * grain, limit));
    else if (limit.kind === 'calendar') refusedMs = Math.max(refusedMs, calendarWaitMs(told));
  }
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
