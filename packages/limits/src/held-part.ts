import { advance, cancel, renew, type Taking } from './bucket.ts';
import { sliceEndMs } from './lease-slices.ts';
import { type OwnerRecord, recordTimeMs, stateOf } from './owner-record.ts';

/** What one request took from one owner. */
export interface HeldPart {
  readonly owner: string;
  /** Undefined: nothing was taken, but what it uses will be charged. */
  readonly record: OwnerRecord | undefined;
  /** The end of the slice that its holds live in. */
  endMs: number;
  readonly takings: readonly Taking[];
}

/** Gives back what was taken from the owner. */
export function cancelPart({ record, takings, endMs }: HeldPart, clockMs: number): void {
  // A record that is gone was full before it went: all has come back.
  if (!record || record.gone) return;
  const nowMs = recordTimeMs(record, clockMs);
  for (let place = 0; place < takings.length; place += 1) {
    const taking = takings[place];
    if (!taking || (taking.heldUnits === 0 && !taking.charge)) continue;
    const state = stateOf(record, taking.limit, place);
    if (!state) continue;
    advance(state, nowMs);
    cancel(state, taking, endMs, nowMs);
    record.touchedMs = nowMs;
  }
}

/** Moves the holds that are still alive to the slice of a lease taken now. */
export function renewPart(part: HeldPart, clockMs: number, leaseMs: number, sliceMs: number): void {
  const { record, takings } = part;
  if (!record || record.gone) return;
  const nowMs = recordTimeMs(record, clockMs);
  const newEndMs = sliceEndMs(nowMs, leaseMs, sliceMs);
  if (part.endMs <= nowMs || newEndMs <= part.endMs) return;
  for (let place = 0; place < takings.length; place += 1) {
    const taking = takings[place];
    if (!taking || taking.heldUnits === 0) continue;
    const state = stateOf(record, taking.limit, place);
    if (state) renew(state, taking, part.endMs, newEndMs, nowMs);
  }
  part.endMs = newEndMs;
  record.touchedMs = nowMs;
}
