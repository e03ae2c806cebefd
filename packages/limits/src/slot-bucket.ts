import type { ConcurrencyLimit } from '@nexus/domain';
import { heldUnits, type LeaseSlices, noSlices } from './lease-slices.ts';

/** Requests in flight: nothing but holds. */
export interface SlotState {
  readonly kind: 'concurrency';
  readonly name: string;
  readonly held: LeaseSlices;
}

/** When another request will end is not known; a second is a patient guess that costs a client little. */
export const SLOT_WAIT_MS = 1_000;

export function freeSlotBucket(limit: ConcurrencyLimit): SlotState {
  return { kind: 'concurrency', name: limit.name, held: noSlices() };
}

export function freeSlots(state: SlotState | undefined, limit: ConcurrencyLimit, nowMs: number): number {
  return state ? limit.slots - heldUnits(state.held, nowMs) : limit.slots;
}
