import type { BucketLimit, BucketView, Demand, Settlement } from '@nexus/domain';
import * as calendar from './calendar-bucket.ts';
import { dropPast, heldUnits, hold, release } from './lease-slices.ts';
import { sizeOf } from './limit-problem.ts';
import * as rate from './rate-bucket.ts';
import * as slot from './slot-bucket.ts';

/**
 * The rules of all three kinds of bucket, with nothing around them: no clock, no keeper. A bucket that was never touched is
 * `undefined`, which is the same as a full one.
 *
 * Numbers are grains (`grainsPerUnit` to a unit) where a comment says so, whole units elsewhere. Only what is shown to
 * people divides.
 */
export type BucketState = rate.RateState | calendar.CalendarState | slot.SlotState;

/** What a charge remembers, to be taken back. */
export type Charge = rate.RateCharge | calendar.CalendarCharge;

/** How many of its parts a bucket keeps for one unit. */
export function grainsPerUnit(limit: BucketLimit): number {
  return limit.kind === 'rate' ? limit.periodMs : 1;
}

/** Units of this bucket that a request asks for. */
export function unitsAsked(limit: BucketLimit, demand: Demand): number {
  if (limit.kind === 'concurrency') return demand.requests;
  return limit.counts === 'requests' ? demand.requests : usedOf(limit, demand);
}

/** The part of them that is held until the end; 0 where the limit counts requests, which are charged at once. */
export function unitsHeld(limit: BucketLimit, demand: Demand): number {
  return isChargedAtOnce(limit) ? 0 : unitsAsked(limit, demand);
}

/** Whether the limit counts requests: they are charged when they are admitted. */
export function isChargedAtOnce(limit: BucketLimit): boolean {
  return limit.kind !== 'concurrency' && limit.counts === 'requests';
}

/** Units that a settlement charges. Requests were charged before, slots never are. */
function unitsUsed(limit: BucketLimit, used: Settlement): number {
  return limit.kind === 'concurrency' || limit.counts === 'requests' ? 0 : usedOf(limit, used);
}

function usedOf(limit: Exclude<BucketLimit, { kind: 'concurrency' }>, used: Settlement): number {
  if (limit.counts === 'input_tokens') return used.inputTokens;
  if (limit.counts === 'output_tokens') return used.outputTokens;
  if (limit.counts === 'usd') return used.nanoUsd ?? 0;
  return used.inputTokens + used.outputTokens;
}

/** Whether this is the bucket of that limit. Amounts may differ: a limit keeps its bucket when they change. */
export function belongsTo(state: BucketState, limit: BucketLimit): boolean {
  if (state.name !== limit.name) return false;
  if (state.kind === 'rate') return limit.kind === 'rate' && state.periodMs === limit.periodMs;
  if (state.kind === 'calendar') return limit.kind === 'calendar' && state.period === limit.period;
  return limit.kind === 'concurrency';
}

/** An untouched bucket. */
export function fullBucket(limit: BucketLimit, nowMs: number): BucketState {
  if (limit.kind === 'rate') return rate.fullRate(limit, nowMs);
  return limit.kind === 'calendar' ? calendar.fullCalendar(limit, nowMs) : slot.freeSlotBucket(limit);
}

/** Grains free to be taken; below 0: debt, or a limit that was lowered. Changes nothing. */
export function freeGrains(state: BucketState | undefined, limit: BucketLimit, nowMs: number): number {
  if (limit.kind === 'rate') return rate.freeRate(state?.kind === 'rate' ? state : undefined, limit, nowMs);
  if (limit.kind === 'calendar')
    return calendar.freeCalendar(state?.kind === 'calendar' ? state : undefined, limit, nowMs);
  return slot.freeSlots(state?.kind === 'concurrency' ? state : undefined, limit, nowMs);
}

/** Whether a request may take its units. A bucket that it takes nothing from is not asked, even one in debt. */
export function hasRoom(
  state: BucketState | undefined,
  limit: BucketLimit,
  units: number,
  nowMs: number,
): boolean {
  if (units === 0) return true;
  if (units > sizeOf(limit)) return false;
  if (limit.kind === 'rate' && hasStarts(state))
    return rate.firstRoomMs(state, limit, units, nowMs, nowMs) === nowMs;
  return units * grainsPerUnit(limit) <= freeGrains(state, limit, nowMs);
}

/** Whether requests are to begin later in this bucket. */
export function hasStarts(state: BucketState | undefined): state is rate.RateState {
  return state?.kind === 'rate' && state.starts !== undefined;
}

/**
 * The first instant from `fromMs` on at which the bucket is sure to have room, whatever ends or doesn't; undefined: none is. The
 * units are no more than its size.
 */
export function firstRoomMs(
  state: BucketState | undefined,
  limit: BucketLimit,
  units: number,
  nowMs: number,
  fromMs: number,
): number | undefined {
  if (limit.kind === 'rate' && units > 0)
    return rate.firstRoomMs(state?.kind === 'rate' ? state : undefined, limit, units, nowMs, fromMs);
  return hasRoom(state, limit, units, nowMs) ? fromMs : undefined;
}

/** The first instant from `atMs` on that the bucket can remember as a request's start; undefined: it can remember no more. */
export function rememberedMs(
  state: BucketState | undefined,
  limit: BucketLimit,
  units: number,
  nowMs: number,
  atMs: number,
): number | undefined {
  if (limit.kind !== 'rate' || state?.kind !== 'rate' || units === 0 || atMs <= nowMs) return atMs;
  return rate.rememberedMs(state, limit, units, nowMs, atMs);
}

/** How long a request that has no room must wait for it. `nowMs` is not before the bucket's last touch. */
export function waitMs(
  state: BucketState | undefined,
  limit: BucketLimit,
  units: number,
  nowMs: number,
): number | 'never' {
  if (units > sizeOf(limit)) return 'never';
  if (limit.kind === 'rate' && hasStarts(state))
    return (rate.firstRoomMs(state, limit, units, nowMs, nowMs) ?? nowMs) - nowMs;
  if (limit.kind === 'rate')
    return rate.rateWaitMs(freeGrains(state, limit, nowMs), units * limit.periodMs, limit);
  if (limit.kind === 'calendar')
    return calendar.calendarWaitMs(state?.kind === 'calendar' ? state : undefined, limit, nowMs);
  return slot.SLOT_WAIT_MS;
}

/** Brings a bucket to the present, under the limit that its owner has now. */
export function adopt(state: BucketState, limit: BucketLimit, nowMs: number): void {
  if (state.kind === 'rate' && limit.kind === 'rate') rate.adoptRate(state, limit, nowMs);
  else if (state.kind === 'calendar' && limit.kind === 'calendar')
    calendar.adoptCalendar(state, limit, nowMs);
  else dropPast(state.held, nowMs);
}

/** Brings a bucket to the present, under the limit that it had last. */
export function advance(state: BucketState, nowMs: number): void {
  if (state.kind === 'rate') rate.advanceRate(state, nowMs);
  else if (state.kind === 'calendar') calendar.advanceCalendar(state, nowMs);
  else dropPast(state.held, nowMs);
}

/**
 * Takes units for which there is room at `startMs`: charges requests, and gives back the charge; holds tokens and slots from now on, in
 * the slice that ends at `endMs`. A calendar counts a request in the window in which it is admitted.
 */
export function take(
  state: BucketState,
  limit: BucketLimit,
  units: number,
  endMs: number,
  startMs: number,
): Charge | undefined {
  if (isChargedAtOnce(limit)) {
    if (state.kind === 'rate') return rate.chargeRate(state, units, startMs);
    if (state.kind === 'calendar') return calendar.useCalendar(state, units);
  }
  hold(state.held, endMs, units);
  return undefined;
}

/** Swaps what is held for what was used. The bucket stands at the present; a hold whose lease ran out is free already. */
export function settle(
  state: BucketState,
  limit: BucketLimit,
  heldUnits: number,
  endMs: number,
  used: Settlement,
  nowMs: number,
): void {
  release(state.held, endMs, heldUnits, nowMs);
  const units = unitsUsed(limit, used);
  if (state.kind === 'rate') rate.useRate(state, units);
  else if (state.kind === 'calendar') calendar.useCalendar(state, units);
}

/** Whether settling changes this bucket, even one that nothing was taken from. */
export function isTouchedBy(limit: BucketLimit, heldUnits: number, used: Settlement): boolean {
  return heldUnits > 0 || unitsUsed(limit, used) > 0;
}

/** Gives back what was taken, as if it had never been. The bucket stands at the present. */
export function cancel(
  state: BucketState,
  heldUnits: number,
  charge: Charge | undefined,
  endMs: number,
  nowMs: number,
): void {
  release(state.held, endMs, heldUnits, nowMs);
  if (!charge) return;
  if (state.kind === 'rate' && 'era' in charge) rate.giveBackRate(state, charge);
  if (state.kind === 'calendar' && 'window' in charge) calendar.giveBackCalendar(state, charge);
}

/** Moves a live hold to a later slice. One whose lease ran out stays lost: another request may have its place. */
export function renew(
  state: BucketState,
  heldUnits: number,
  endMs: number,
  newEndMs: number,
  nowMs: number,
): void {
  if (release(state.held, endMs, heldUnits, nowMs)) hold(state.held, newEndMs, heldUnits);
}

/** Whether the bucket is as one that was never touched, and can be forgotten. Changes nothing. */
export function isIdle(state: BucketState, nowMs: number): boolean {
  if (heldUnits(state.held, nowMs) > 0) return false;
  if (state.kind === 'rate') return rate.isFull(state, nowMs);
  return state.kind !== 'calendar' || calendar.isUnused(state, nowMs);
}

/** The bucket as people see it. `nowMs` is not before its last touch. */
export function viewOf(
  owner: string,
  limit: BucketLimit,
  state: BucketState | undefined,
  nowMs: number,
): BucketView {
  const size = sizeOf(limit);
  const free = freeGrains(state, limit, nowMs);
  const available = Math.floor(free / grainsPerUnit(limit));
  return { owner, limit, size, available, untilFullMs: untilFullMs(state, limit, free, size, nowMs) };
}

function untilFullMs(
  state: BucketState | undefined,
  limit: BucketLimit,
  free: number,
  size: number,
  nowMs: number,
): number {
  if (limit.kind === 'concurrency' || size === 0) return 0;
  if (limit.kind === 'rate') return rate.rateWaitMs(free, size * limit.periodMs, limit);
  if (free >= size) return 0;
  return calendar.calendarWaitMs(state?.kind === 'calendar' ? state : undefined, limit, nowMs);
}
