/** The value in the middle; of an even number, the mean of the two. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  const lower = sorted[Math.ceil(half) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The smallest value that at least the share `q` (0 to 1) of all values does not exceed. NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = ascending(values);
  const rank = Math.ceil(q * sorted.length);
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1] ?? Number.NaN;
}

function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/** Smallest, middle and largest of several measurements. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { min: quantile(values, 0), median: median(values), max: quantile(values, 1) };
}

/** One figure of the device under test and of the pipe, taken right after each other. */
export interface Pair {
  readonly device: number;
  readonly pipe: number;
}

/** device / pipe of each pair by itself: what slows the machine for a while slows both halves of a pair. */
export function ratioSpread(pairs: readonly Pair[]): Spread {
  return spreadOf(pairs.map(({ device, pipe }) => device / pipe));
}

/**
 * How long, at most, the share `q` of all moments would have waited, when the loop came round after each of these gaps.
 * Something that arrives inside a gap waits for its end. A plain quantile over the gaps counts a long gap once, like a
 * short one, though a hundred times as many arrivals fall into it.
 */
export function waitQuantile(gaps: readonly number[], q: number): number {
  const total = gaps.reduce((sum, gap) => sum + gap, 0);
  if (total === 0) return 0;
  const waitingLonger = (wait: number): number =>
    gaps.reduce((sum, gap) => sum + Math.max(0, gap - wait), 0) / total;
  let low = 0;
  let high = gaps.reduce((most, gap) => Math.max(most, gap), 0);
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (waitingLonger(middle) > 1 - q) low = middle;
    else high = middle;
  }
  return high;
}
