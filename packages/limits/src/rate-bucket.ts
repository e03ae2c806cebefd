import type { RateLimit } from '@nexus/domain';
import { dropPast, heldUnits, type LeaseSlices, noSlices } from './lease-slices.ts';
import { LARGEST, sizeOf } from './limit-problem.ts';

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
  /** Grains in the bucket at `tsMs`, with those that are held; below 0: debt. */
  total: number;
  tsMs: number;
  readonly held: LeaseSlices;
  /** A charge can be taken back in its own era alone: one ends when the bucket is full, or its limit changes. */
  era: number;
  /** How many charges this era has seen; a cancelled one counts only if another came after it. */
  charges: number;
  /** Grains that came back in this era by cancelling charges after which there were others. */
  givenBack: number;
  /** The first place among those charges; 0: there were none. */
  givenBackFrom: number;
}

/** What a charge remembers, to be taken back: the bucket right after it. */
export interface RateCharge {
  readonly units: number;
  readonly era: number;
  /** The how-manieth charge of its era it was. */
  readonly place: number;
  readonly level: number;
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
    total: limit.burst * limit.periodMs,
    tsMs: nowMs,
    held: noSlices(),
    // Not the era of an earlier life of this bucket, which was forgotten at another instant.
    era: nowMs,
    charges: 0,
    givenBack: 0,
    givenBackFrom: 0,
  };
}

/** Grains at an instant, held ones included, as a limit (not necessarily the bucket's last one) refills and caps them. */
export function levelAt(state: RateState, limit: { amount: number; burst: number }, nowMs: number): number {
  const full = limit.burst * state.periodMs;
  const missing = full - state.total;
  if (missing <= 0) return full;
  const elapsedMs = nowMs - state.tsMs;
  if (elapsedMs <= 0) return state.total;
  // A product above 2^53 is rounded, but rounding keeps order and `missing` is exact: it is only ever compared.
  const refill = elapsedMs * limit.amount;
  return refill >= missing ? full : state.total + refill;
}

/** Grains free to be taken: the level less what is held. */
export function freeRate(state: RateState | undefined, limit: RateLimit, nowMs: number): number {
  const size = sizeOf(limit);
  if (!state || size === 0) return size * limit.periodMs;
  return levelAt(state, limit, nowMs) - heldUnits(state.held, nowMs) * state.periodMs;
}

/** Brings the bucket to an instant that is not before the last one it was brought to. */
export function advanceRate(state: RateState, nowMs: number): void {
  state.total = levelAt(state, state, nowMs);
  if (state.charges > 0 && state.total >= state.burst * state.periodMs) beginEra(state);
  if (nowMs > state.tsMs) state.tsMs = nowMs;
  dropPast(state.held, nowMs);
}

/**
 * Goes on under a limit that may have changed: never with more than the smaller burst, never afresh. A limit of 0 is not
 * taken over, since it admits nothing: the bucket keeps refilling as before, so that it can be forgotten in the end.
 */
export function adoptRate(state: RateState, limit: RateLimit, nowMs: number): void {
  const changed = state.amount !== limit.amount || state.burst !== limit.burst;
  if (changed && sizeOf(limit) > 0) {
    state.total = levelAt(state, limit, nowMs);
    // What has come in until now came under the new limit: it must not come again.
    if (nowMs > state.tsMs) state.tsMs = nowMs;
    state.amount = limit.amount;
    state.burst = limit.burst;
    beginEra(state);
  }
  advanceRate(state, nowMs);
}

/** Takes units that have been admitted for good, unless the charge is cancelled. The bucket stands at the present. */
export function chargeRate(state: RateState, units: number): RateCharge {
  state.total -= units * state.periodMs;
  state.charges += 1;
  const { era, charges: place, total: level, tsMs: atMs, givenBack } = state;
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
 * are cancelled in mixed order.
 */
export function giveBackRate(state: RateState, charge: RateCharge): void {
  if (charge.era !== state.era) return;
  const isBefore = state.givenBackFrom === 0 || charge.place < state.givenBackFrom;
  const cameBack = isBefore ? 0 : state.givenBack - charge.givenBack;
  const full = state.burst * state.periodMs;
  const risen = (state.tsMs - charge.atMs) * state.amount + cameBack;
  const back = Math.min(charge.units * state.periodMs, full - charge.level - risen, full - state.total);
  const isLast = charge.place === state.charges;
  if (isLast) state.charges -= 1;
  if (back <= 0) return;
  state.total += back;
  if (isLast) return;
  state.givenBack += back;
  if (isBefore) state.givenBackFrom = charge.place;
  if (state.givenBack >= LARGEST) beginEra(state);
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
