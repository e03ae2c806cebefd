import type { Passed } from './windows.ts';

/** A call that was let through, with the units that its answer reported. */
export interface Spent {
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly endedMs: number;
  readonly units: number;
}

/** A gateway has noticed the end of an answer, and settled it, so long after its client saw that end. */
export const SETTLED_AFTER_MS = 1_000;

/**
 * When each call's tokens certainly count against a bucket that reserves before a call and settles after it.
 *
 * At the moment of an admission that takes tokens what is available is not below 0 (one that takes none isn't asked). So of the calls admitted in a window that ends with
 * an admission, those settled by then count with all they used, the others only with what was reserved, which a caller doesn't
 * know. A call therefore counts from the first admission on that was sent after it was certainly settled; one after
 * which nothing was admitted doesn't count. What a call used beyond its reservation needs no allowance: by the
 * next admission it has been paid back.
 */
export function settledPassed(spent: readonly Spent[]): Passed[] {
  const bySending = spent.filter(({ units }) => units > 0).sort((a, b) => a.sentMs - b.sentMs);
  const firstAnswerFrom: number[] = [];
  let firstMs = Number.POSITIVE_INFINITY;
  for (let place = bySending.length - 1; place >= 0; place -= 1) {
    firstMs = Math.min(firstMs, bySending[place]?.answeredMs ?? firstMs);
    firstAnswerFrom[place] = firstMs;
  }
  const passed: Passed[] = [];
  for (const { sentMs, endedMs, units } of bySending) {
    const place = firstSentFrom(bySending, endedMs + SETTLED_AFTER_MS);
    const answeredMs = firstAnswerFrom[place];
    if (answeredMs !== undefined) passed.push({ sentMs, answeredMs, units });
  }
  return passed;
}

function firstSentFrom(bySending: readonly Spent[], fromMs: number): number {
  let low = 0;
  let high = bySending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bySending[middle]?.sentMs ?? 0) >= fromMs) high = middle;
    else low = middle + 1;
  }
  return low;
}
