import type { CalendarLimit } from '@nexus/domain';
import { windowAt, windowEndMs } from './calendar.ts';
import { dropPast, heldUnits, type LeaseSlices, noSlices } from './lease-slices.ts';
import { LARGEST } from './limit-problem.ts';

/** A fixed amount for each day or month. It keeps what was used, so that a changed amount needs no conversion. */
export interface CalendarState {
  readonly kind: 'calendar';
  readonly name: string;
  readonly period: CalendarLimit['period'];
  timeZone: string;
  /** The window that `used` belongs to. It never goes back, even if the clock does. */
  window: number;
  /** Units charged and settled in this window. */
  used: number;
  /** Live holds go on into the next window, and are charged to the one in which they settle. */
  readonly held: LeaseSlices;
}

/** What a charge remembers, to be taken back. */
export interface CalendarCharge {
  readonly units: number;
  readonly window: number;
}

export function fullCalendar(limit: CalendarLimit, nowMs: number): CalendarState {
  const { name, period, timeZone } = limit;
  const window = windowAt(timeZone, period, nowMs);
  return { kind: 'calendar', name, period, timeZone, window, used: 0, held: noSlices() };
}

export function freeCalendar(state: CalendarState | undefined, limit: CalendarLimit, nowMs: number): number {
  if (!state) return limit.amount;
  const isOver = windowAt(limit.timeZone, limit.period, nowMs) > state.window;
  return limit.amount - (isOver ? 0 : state.used) - heldUnits(state.held, nowMs);
}

/** Begins the window that has come, if one has. */
export function advanceCalendar(state: CalendarState, nowMs: number): void {
  const window = windowAt(state.timeZone, state.period, nowMs);
  if (window > state.window) {
    state.window = window;
    state.used = 0;
  }
  dropPast(state.held, nowMs);
}

export function adoptCalendar(state: CalendarState, limit: CalendarLimit, nowMs: number): void {
  state.timeZone = limit.timeZone;
  advanceCalendar(state, nowMs);
}

/** Takes units that were admitted or used. The bucket stands at the present. */
export function useCalendar(state: CalendarState, units: number): CalendarCharge {
  state.used = Math.min(state.used + units, LARGEST);
  return { units, window: state.window };
}

/** Makes sure that at least so many units count as used. The bucket stands at the present. */
export function useAtLeast(state: CalendarState, units: number): void {
  state.used = Math.max(state.used, Math.min(units, LARGEST));
}

/** Gives a charge back, if its window still runs: a new one began without it. */
export function giveBackCalendar(state: CalendarState, charge: CalendarCharge): void {
  if (charge.window === state.window) state.used = Math.max(0, state.used - charge.units);
}

/** Whether nothing was used in the window that runs. */
export function isUnused(state: CalendarState, nowMs: number): boolean {
  return state.used === 0 || windowAt(state.timeZone, state.period, nowMs) > state.window;
}

/** Milliseconds until the next window begins. */
export function calendarWaitMs(
  state: CalendarState | undefined,
  limit: CalendarLimit,
  nowMs: number,
): number {
  const window = windowAt(limit.timeZone, limit.period, nowMs);
  return windowEndMs(limit.timeZone, limit.period, Math.max(window, state?.window ?? window)) - nowMs;
}
