import type { Demand, OwnerLimits } from '@nexus/domain';
import { advance, type Charge, cancel, isChargedAtOnce, renew, unitsHeld } from './bucket.ts';
import { sliceEndMs } from './lease-slices.ts';
import { type OwnerRecord, recordTimeMs, stateOf } from './owner-record.ts';

/** What one request took from one owner: its demand, by the limits that the owner had then. */
export interface HeldPart {
  readonly limits: OwnerLimits;
  readonly demand: Demand;
  /** Undefined: nothing was taken, but what it uses will be charged. */
  readonly record: OwnerRecord | undefined;
  /** The end of the slice that its holds live in. */
  endMs: number;
  /** The request's charges, in the order of its owners and of their limits that count requests. */
  readonly charges: readonly Charge[];
  /** Where the charges of this owner begin. */
  readonly firstCharge: number;
}

/** Gives back what was taken from the owner. */
export function cancelPart(part: HeldPart, clockMs: number): void {
  const { limits, demand, record, charges, endMs } = part;
  // A record that is gone was full before it went: all has come back.
  if (!record || record.gone) return;
  const { buckets } = limits;
  const nowMs = recordTimeMs(record, clockMs);
  let nextCharge = part.firstCharge;
  for (let place = 0; place < buckets.length; place += 1) {
    const limit = buckets[place];
    if (!limit) continue;
    const heldUnits = unitsHeld(limit, demand);
    const isCharged = demand.requests > 0 && isChargedAtOnce(limit);
    const charge = isCharged ? charges[nextCharge++] : undefined;
    if (heldUnits === 0 && !charge) continue;
    const state = stateOf(record, limit, place);
    if (!state) continue;
    advance(state, nowMs);
    cancel(state, heldUnits, charge, endMs, nowMs);
    record.touchedMs = nowMs;
  }
}

/** Moves the holds that are still alive to the slice of a lease taken now. */
export function renewPart(part: HeldPart, clockMs: number, leaseMs: number, sliceMs: number): void {
  const { limits, demand, record } = part;
  if (!record || record.gone) return;
  const { buckets } = limits;
  const nowMs = recordTimeMs(record, clockMs);
  const newEndMs = sliceEndMs(nowMs, leaseMs, sliceMs);
  if (part.endMs <= nowMs || newEndMs <= part.endMs) return;
  for (let place = 0; place < buckets.length; place += 1) {
    const limit = buckets[place];
    const heldUnits = limit ? unitsHeld(limit, demand) : 0;
    const state = limit && heldUnits > 0 ? stateOf(record, limit, place) : undefined;
    if (state) renew(state, heldUnits, part.endMs, newEndMs, nowMs);
  }
  part.endMs = newEndMs;
  record.touchedMs = nowMs;
}
