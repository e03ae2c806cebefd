/**
 * Units held under leases. Time is cut into slices; a hold lives in the slice in which its lease ends, and what is left
 * in a slice that has passed belonged to a holder that died: it drops at the next touch. Nothing has to be swept, and a
 * bucket has at most `leaseMs / sliceMs + 2` slices however many hold it.
 */
export interface LeaseSlices {
  /** When each slice with something in it ends, in no order. */
  readonly endsMs: number[];
  /** Units held in each. */
  readonly units: number[];
}

/** Nothing held. */
export function noSlices(): LeaseSlices {
  return { endsMs: [], units: [] };
}

/** The end of the slice in which a lease taken now ends: after `leaseMs` at the soonest, `sliceMs` later at most. */
export function sliceEndMs(nowMs: number, leaseMs: number, sliceMs: number): number {
  const leaseEndMs = nowMs + leaseMs;
  return leaseEndMs - (leaseEndMs % sliceMs) + sliceMs;
}

/** Units held under leases that have not run out. Changes nothing. */
export function heldUnits(slices: LeaseSlices, nowMs: number): number {
  const { endsMs, units } = slices;
  let held = 0;
  for (let index = 0; index < endsMs.length; index += 1)
    if ((endsMs[index] ?? 0) > nowMs) held += units[index] ?? 0;
  return held;
}

/** Lets go of the slices that have passed. */
export function dropPast(slices: LeaseSlices, nowMs: number): void {
  const { endsMs } = slices;
  for (let index = endsMs.length - 1; index >= 0; index -= 1)
    if ((endsMs[index] ?? 0) <= nowMs) removeSlice(slices, index);
}

/** Holds units in the slice that ends then. */
export function hold(slices: LeaseSlices, endMs: number, units: number): void {
  if (units === 0) return;
  const index = sliceAt(slices, endMs);
  if (index >= 0) {
    slices.units[index] = (slices.units[index] ?? 0) + units;
    return;
  }
  slices.endsMs.push(endMs);
  slices.units.push(units);
}

/** Frees units held in the slice that ends then. False: that slice has passed, and they are free already. */
export function release(slices: LeaseSlices, endMs: number, units: number, nowMs: number): boolean {
  if (endMs <= nowMs) return false;
  const index = sliceAt(slices, endMs);
  if (index < 0) return false;
  const left = (slices.units[index] ?? 0) - units;
  if (left > 0) slices.units[index] = left;
  else removeSlice(slices, index);
  return true;
}

function sliceAt({ endsMs }: LeaseSlices, endMs: number): number {
  for (let index = 0; index < endsMs.length; index += 1) if (endsMs[index] === endMs) return index;
  return -1;
}

/** Puts the last slice in its place: unlike `splice`, that allocates nothing. */
function removeSlice({ endsMs, units }: LeaseSlices, index: number): void {
  endsMs[index] = endsMs[endsMs.length - 1] ?? 0;
  units[index] = units[units.length - 1] ?? 0;
  endsMs.pop();
  units.pop();
}
