/** Units that a deployment let through, and when: at an instant that is not before `sentMs` and not after `answeredMs`. */
export interface Passed {
  /** The call began to be sent, by a clock that never jumps. */
  readonly sentMs: number;
  /** The first byte of its answer was here, by the same clock. */
  readonly answeredMs: number;
  readonly units: number;
}

/** What a bucket with continuous refill promises: in every window of t ms at most `burst + amount · t / periodMs` units. */
export interface RateBound {
  readonly amount: number;
  readonly periodMs: number;
  readonly burst: number;
}

/** One window of time with what certainly passed in it. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  readonly units: number;
  /** Whole units that the bound allows in it. */
  readonly allowed: number;
  /** `units − allowed`: above 0 the bound is broken. */
  readonly over: number;
}

/**
 * Two clocks differ in pace: crystals by some 50 ppm, and NTP may bend each by up to 500 ppm (adjtimex(2)). A window is
 * taken for this much longer than the caller's clock says.
 */
export const CLOCK_DRIFT = 0.001;
/** The limiter counts whole milliseconds: what lies d apart may be ⌈d⌉ apart for it. */
export const CLOCK_TICK_MS = 1;
/** Rounding of the sums below; far less than a unit. */
const EPSILON = 1e-6;

/** Whole units that a bound allows in a window of so many milliseconds of the caller's clock. */
export function allowedIn({ amount, periodMs, burst }: RateBound, windowMs: number): number {
  return Math.floor(burst + (amount * (windowMs * (1 + CLOCK_DRIFT) + CLOCK_TICK_MS)) / periodMs + EPSILON);
}

/**
 * The window in which most passed beyond what the bound allows (or least remained below it); undefined where nothing passed.
 *
 * Only what certainly lies in a window counts: sent after it began, answered before it ended. So however slow a network or a
 * client is, traffic that kept the bound is never accused. Looks at every window that begins with a sending and ends
 * with an answer, which are the worst ones, in O(n log n).
 */
export function worstWindow(passed: readonly Passed[], bound: RateBound): Window | undefined {
  if (passed.length === 0) return undefined;
  const perMs = (bound.amount * (1 + CLOCK_DRIFT)) / bound.periodMs;
  const ends = passed.map(({ answeredMs }) => answeredMs).sort((a, b) => a - b);
  const bySending = [...passed].sort((a, b) => b.sentMs - a.sentMs);
  const tree = new PrefixTree(ends.length);
  const placeOf = new Map<number, number>();
  for (const [place, endMs] of ends.entries()) placeOf.set(endMs, place);

  let open = ends.length;
  let most = Number.NEGATIVE_INFINITY;
  let fromMs = 0;
  let toMs = 0;
  for (const { sentMs, answeredMs, units } of bySending) {
    // A window may end only after it has begun.
    while (open > 0 && (ends[open - 1] ?? 0) >= sentMs) {
      open -= 1;
      tree.open(open, -perMs * (ends[open] ?? 0));
    }
    tree.add(placeOf.get(answeredMs) ?? 0, units);
    const excess = tree.best + perMs * sentMs;
    if (excess <= most) continue;
    most = excess;
    fromMs = sentMs;
    toMs = ends[tree.bestPlace] ?? sentMs;
  }
  let units = 0;
  for (const each of passed) if (each.sentMs >= fromMs && each.answeredMs <= toMs) units += each.units;
  const allowed = allowedIn(bound, toMs - fromMs);
  return { fromMs, toMs, units, allowed, over: units - allowed };
}

/**
 * A row of places with a weight each; knows the greatest value of (the sum of the weights up to a place + the base of that
 * place) over the places that are open. Every change costs O(log n).
 */
class PrefixTree {
  readonly #leaves: number;
  readonly #sums: Float64Array;
  readonly #bests: Float64Array;
  readonly #places: Int32Array;
  readonly #bases: Float64Array;

  constructor(size: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(2, size)));
    this.#sums = new Float64Array(2 * this.#leaves);
    this.#bests = new Float64Array(2 * this.#leaves).fill(Number.NEGATIVE_INFINITY);
    this.#places = new Int32Array(2 * this.#leaves);
    this.#bases = new Float64Array(this.#leaves).fill(Number.NEGATIVE_INFINITY);
  }

  get best(): number {
    return this.#bests[1] ?? Number.NEGATIVE_INFINITY;
  }

  get bestPlace(): number {
    return this.#places[1] ?? 0;
  }

  open(place: number, base: number): void {
    this.#bases[place] = base;
    this.#update(place, 0);
  }

  add(place: number, weight: number): void {
    this.#update(place, weight);
  }

  #update(place: number, weight: number): void {
    let node = this.#leaves + place;
    const sum = (this.#sums[node] ?? 0) + weight;
    this.#sums[node] = sum;
    this.#bests[node] = sum + (this.#bases[place] ?? 0);
    this.#places[node] = place;
    for (node >>= 1; node >= 1; node >>= 1) {
      const left = 2 * node;
      const leftSum = this.#sums[left] ?? 0;
      const leftBest = this.#bests[left] ?? 0;
      const rightBest = leftSum + (this.#bests[left + 1] ?? 0);
      this.#sums[node] = leftSum + (this.#sums[left + 1] ?? 0);
      const isLeft = leftBest >= rightBest;
      this.#bests[node] = isLeft ? leftBest : rightBest;
      this.#places[node] = this.#places[isLeft ? left : left + 1] ?? 0;
    }
  }
}
