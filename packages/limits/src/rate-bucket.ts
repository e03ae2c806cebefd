import type { RateLimit } from '@nexus/domain';
import { dropPast, heldUnits, type LeaseSlices, noSlices } from './lease-slices.ts';
import { LARGEST, sizeOf } from './limit-problem.ts';
import {
  earliestMs,
  levelPlanned,
  memorableMs,
  type Outlook,
  type PlannedStart,
  planStart,
  refilled,
  unitsPlanned,
  unplanStart,
} from './planned-starts.ts';

/**
 * A bucket with continuous refill. One unit is `periodMs` grains and `amount` grains come back each millisecond, so every
 * number is an integer and nothing is ever divided. Because the grain depends on the period alone, a changed amount or
 * burst leaves the grains that are there what they were.
 *
 * Time passes in whole milliseconds. A burst that has no room for one unit and a millisecond's refill (a burst of 1) can't
 * keep what comes in the last part of a millisecond: `600 a second, burst 1` lets one through every 2 ms, 500 a second.
 */
export interface RateState {
  readonly kind: 'rate';
  readonly name: string;
  readonly periodMs: number;
  /** The limit as the last admission knew it: units a period, and the most units. */
  amount: number;
  burst: number;
  /**
   * Until when it counts as touched though it is full: its burst was lowered, and it would not be full yet under the old one. Forgotten before
   * that, and raised again, it would begin afresh.
   */
  keptUntilMs: number;
  /** Grains in the bucket at `tsMs`, with those that are held; below 0: debt. */
  total: number;
  tsMs: number;
  readonly held: LeaseSlices;
  /** Charges that are to come, the next first; undefined: none. */
  starts: PlannedStart[] | undefined;
  /** A charge can be taken back in its own era alone: one ends when the bucket is full, or its limit changes. */
  era: number;
  /** How many charges this era has seen; a cancelled one counts only if another came after it. */
  charges: number;
  /** Grains that came back in this era by cancelling charges after which there were others. */
  givenBack: number;
  /** The first place among those charges; 0: there were none. */
  givenBackFrom: number;
}

/** What a charge remembers, to be taken back: the bucket right after it, as it was planned to be if it was to come. */
export interface RateCharge {
  readonly units: number;
  readonly era: number;
  /** The how-manieth charge of its era it was. */
  readonly place: number;
  readonly level: number;
  /** When it begins to count. */
  readonly atMs: number;
  readonly givenBack: number;
}

export function fullRate(limit: RateLimit, nowMs: number): RateState {
  return {
    kind: 'rate',
    name: limit.name,
    periodMs: limit.periodMs,
    amount: limit.amount,
    burst: limit.burst,
    keptUntilMs: 0,
    total: limit.burst * limit.periodMs,
    tsMs: nowMs,
    held: noSlices(),
    starts: undefined,
    // Not the era of an earlier life of this bucket, which was forgotten at another instant.
    era: nowMs,
    charges: 0,
    givenBack: 0,
    givenBackFrom: 0,
  };
}

/** Grains at an instant, held ones included, as a limit (not necessarily the bucket's last one) refills and caps them. */
function levelAt(state: RateState, limit: { amount: number; burst: number }, nowMs: number): number {
  const { periodMs, starts } = state;
  const full = limit.burst * periodMs;
  let { total, tsMs } = state;
  if (starts)
    for (const { atMs, units } of starts) {
      if (atMs > nowMs) break;
      total = refilled(total, full, limit.amount, atMs - tsMs) - units * periodMs;
      tsMs = atMs;
    }
  return refilled(total, full, limit.amount, nowMs - tsMs);
}

/** Grains free to be taken: the level less what is held, and less what is still to begin. */
export function freeRate(state: RateState | undefined, limit: RateLimit, nowMs: number): number {
  const size = sizeOf(limit);
  if (!state || size === 0) return size * limit.periodMs;
  const held = heldUnits(state.held, nowMs) + (state.starts ? unitsPlanned(state.starts, nowMs) : 0);
  return levelAt(state, limit, nowMs) - held * state.periodMs;
}

/**
 * The first instant from `fromMs` on at which units can be taken that the bucket can hold, if nobody else takes or gives back
 * anything. Undefined: what is held leaves no room, and nobody knows when it comes back.
 */
export function firstRoomMs(
  state: RateState | undefined,
  limit: RateLimit,
  units: number,
  nowMs: number,
  fromMs: number,
): number | undefined {
  const needed = units * limit.periodMs;
  if (state?.starts) return earliestMs(outlookOf(state, limit, nowMs), needed, fromMs);
  const held = state ? heldUnits(state.held, nowMs) : 0;
  if (units + held > limit.burst) return undefined;
  return Math.max(fromMs, nowMs + rateWaitMs(freeRate(state, limit, nowMs), needed, limit));
}

/** The first instant from `atMs` on that the bucket can remember for a start; undefined: it can remember no more. */
export function rememberedMs(
  state: RateState | undefined,
  limit: RateLimit,
  units: number,
  nowMs: number,
  atMs: number,
): number | undefined {
  if (!state?.starts) return atMs;
  return memorableMs(outlookOf(state, limit, nowMs), units * limit.periodMs, atMs);
}

function outlookOf(state: RateState, limit: { amount: number; burst: number }, nowMs: number): Outlook {
  const { periodMs, starts = [] } = state;
  const { amount, burst } = limit;
  return {
    nowMs,
    level: levelAt(state, limit, nowMs),
    full: burst * periodMs,
    amount,
    grain: periodMs,
    starts: starts.filter(({ atMs }) => atMs > nowMs),
  };
}

/** Whether nothing is missing, nothing is to come, and it may be forgotten. Holds count for nothing. */
export function isFull(state: RateState, nowMs: number): boolean {
  if (nowMs < state.keptUntilMs) return false;
  if (state.starts && unitsPlanned(state.starts, nowMs) > 0) return false;
  return levelAt(state, state, nowMs) >= state.burst * state.periodMs;
}

/** Brings the bucket to an instant that is not before the last one it was brought to. */
export function advanceRate(state: RateState, nowMs: number): void {
  state.total = levelAt(state, state, nowMs);
  dropBegun(state, nowMs);
  // As long as charges are to come, they need the era that they were made in.
  if (state.charges > 0 && !state.starts && state.total >= state.burst * state.periodMs) beginEra(state);
  if (nowMs > state.tsMs) state.tsMs = nowMs;
  dropPast(state.held, nowMs);
}

/** Forgets the starts that `total` has been charged with. */
function dropBegun(state: RateState, nowMs: number): void {
  const { starts } = state;
  if (!starts) return;
  let begun = 0;
  while ((starts[begun]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) begun += 1;
  if (begun === starts.length) state.starts = undefined;
  else starts.splice(0, begun);
}

/**
 * Goes on under a limit that may have changed: never with more than the smaller burst, never afresh. A limit of 0 is not
 * taken over, since it admits nothing: the bucket keeps refilling as before, so that it can be forgotten in the end.
 */
export function adoptRate(state: RateState, limit: RateLimit, nowMs: number): void {
  const changed = state.amount !== limit.amount || state.burst !== limit.burst;
  if (changed && sizeOf(limit) > 0) {
    if (limit.burst < state.burst) keepLowered(state, nowMs);
    state.total = levelAt(state, limit, nowMs);
    dropBegun(state, nowMs);
    // What has come in until now came under the new limit: it must not come again.
    if (nowMs > state.tsMs) state.tsMs = nowMs;
    state.amount = limit.amount;
    state.burst = limit.burst;
    beginEra(state);
  }
  advanceRate(state, nowMs);
}

/** Keeps a bucket whose burst is lowered until it would have been full under the old one. */
function keepLowered(state: RateState, nowMs: number): void {
  const missing = state.burst * state.periodMs - levelAt(state, state, nowMs);
  const fullMs = nowMs + Math.ceil(missing / state.amount);
  if (missing > 0) state.keptUntilMs = Math.max(state.keptUntilMs, fullMs);
}

/**
 * Takes units that have been admitted for good, unless the charge is cancelled: now, or at a later instant that `firstRoomMs` gave. The
 * bucket stands at the present.
 */
export function chargeRate(state: RateState, units: number, startMs = state.tsMs): RateCharge {
  const atMs = Math.max(startMs, state.tsMs);
  state.charges += 1;
  const { era, charges: place, givenBack } = state;
  let level = state.total - units * state.periodMs;
  if (atMs > state.tsMs) {
    state.starts ??= [];
    planStart(state.starts, atMs, units);
    level = levelPlanned(outlookOf(state, state, state.tsMs), atMs);
  } else state.total = level;
  return { units, era, place, level, atMs, givenBack };
}

/** Takes units that were used, admitted or not: what is not there becomes debt, of at most 2^52 grains. */
export function useRate(state: RateState, units: number): void {
  if (units > 0) state.total = Math.max(state.total - units * state.periodMs, -LARGEST);
}

/**
 * Gives a charge back, so that the bucket is as if it had never been made, and never fuller than that. The bucket stands
 * at the present.
 *
 * Had the charge never been made, the bucket would hold that much more, less what would have run over its rim since. What
 * would not have run over is the room left above the highest level since the charge. The bucket can't have risen above
 * its level then, with the refill since and what came back from cancelled charges before this one; charges after
 * it don't count, since cancelling one makes the bucket no fuller than if it had never been. To know exactly which of them came
 * before would cost memory for each, so a nearly full bucket may leave some grains to its refill when several charges
 * are cancelled in mixed order, or after others began.
 *
 * A charge that is still to come is struck from the plan; who was to begin later begins when it was to.
 */
export function giveBackRate(state: RateState, charge: RateCharge): void {
  const { units, era, place, level, atMs } = charge;
  const isPlanned = atMs > state.tsMs;
  const isOfEra = era === state.era;
  if (isPlanned ? !strike(state, charge) : !isOfEra) return;
  const isBefore = isOfEra && (state.givenBackFrom === 0 || place < state.givenBackFrom);
  const isLast = isOfEra && place === state.charges;
  let back = units * state.periodMs;
  if (!isPlanned) {
    const cameBack = isBefore ? 0 : state.givenBack - charge.givenBack;
    const full = state.burst * state.periodMs;
    const risen = (state.tsMs - atMs) * state.amount + cameBack;
    back = Math.min(back, full - level - risen, full - state.total);
  }
  if (isLast) state.charges -= 1;
  if (back <= 0) return;
  if (!isPlanned) state.total += back;
  if (isLast) return;
  state.givenBack += back;
  // One of an earlier era came before all of this one.
  if (!isOfEra) state.givenBackFrom = 1;
  else if (isBefore) state.givenBackFrom = place;
  if (state.givenBack >= LARGEST) beginEra(state);
}

/** Takes a charge off the plan, if it is there. */
function strike(state: RateState, { atMs, units }: RateCharge): boolean {
  if (!state.starts || !unplanStart(state.starts, atMs, units)) return false;
  if (state.starts.length === 0) state.starts = undefined;
  return true;
}

/** Milliseconds until the grains needed are free, when what is held counts as used. */
export function rateWaitMs(free: number, needed: number, limit: RateLimit): number {
  // Exact: a quotient of integers below 2^53 is never rounded onto an integer that it isn't.
  return needed <= free ? 0 : Math.ceil((needed - free) / limit.amount);
}

function beginEra(state: RateState): void {
  state.era += 1;
  state.charges = 0;
  state.givenBack = 0;
  state.givenBackFrom = 0;
}
