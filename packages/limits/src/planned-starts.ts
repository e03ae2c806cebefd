/**
 * Requests that have been sold the refill to come: each begins at an instant of its own, and takes its units then.
 *
 * Nothing is taken before: a bucket that is taken from early, or held back, would say no to others, or would refill while those that wait
 * come together at once. So the future is worked out from the plan, and a newcomer may begin at an instant if its units are there then and
 * everyone who begins later still finds theirs. Nobody is ever put off by one who came later.
 */

/** Units that begin to count at one instant. */
export interface PlannedStart {
  readonly atMs: number;
  units: number;
}

/** A bucket as it is now, and who is to begin in it. Grains, but for the starts' units. */
export interface Outlook {
  readonly nowMs: number;
  readonly level: number;
  /** The most that the bucket holds. */
  readonly full: number;
  /** Grains that come back in a millisecond. */
  readonly amount: number;
  /** Grains to a unit. */
  readonly grain: number;
  /** All after `nowMs`, the next first, no two at one instant. */
  readonly starts: readonly PlannedStart[];
}

/** From so many instants on, newcomers share them: no bucket ever knows many more. */
const CROWDED = 64;
const MOST_STARTS = 256;
/** In a crowd a start is put off by this part of its wait at most, to the instant of others. */
const COARSENESS = 16;

/** A level after some time, never above the rim. */
export function refilled(level: number, full: number, amount: number, elapsedMs: number): number {
  const missing = full - level;
  if (missing <= 0) return full;
  if (elapsedMs <= 0) return level;
  // A product above 2^53 is rounded, but rounding keeps order and `missing` is exact: it is only ever compared.
  const refill = elapsedMs * amount;
  return refill >= missing ? full : level + refill;
}

/**
 * The first instant from `fromMs` on at which so many grains can be taken. Infinite if they are more than the bucket can hold.
 */
export function earliestMs(outlook: Outlook, needed: number, fromMs: number): number {
  const { full, amount, grain, starts } = outlook;
  const required = requiredBefore(outlook);
  let { level, nowMs: atMs } = outlook;
  for (let next = 0; next <= starts.length; next += 1) {
    const start = starts[next];
    const endMs = start?.atMs ?? Number.POSITIVE_INFINITY;
    const later = required[next] ?? 0;
    const beginMs = Math.max(atMs, fromMs);
    if (beginMs < endMs) {
      const there = refilled(level, full, amount, beginMs - atMs);
      const spare = there - stillRequired(later, amount, endMs - beginMs);
      if (spare >= needed) return beginMs;
      // Where those who begin later need what is there, it is no better any later.
      const thenMs = beginMs + Math.ceil((needed - there) / amount);
      if (there < needed && needed <= full && thenMs < endMs) {
        const then = refilled(level, full, amount, thenMs - atMs);
        if (then - stillRequired(later, amount, endMs - thenMs) >= needed) return thenMs;
      }
    }
    if (start) {
      level = refilled(level, full, amount, endMs - atMs) - start.units * grain;
      atMs = endMs;
    }
  }
  return Number.POSITIVE_INFINITY;
}

/** The level that the plan leaves right after the starts of an instant. */
export function levelPlanned({ level, nowMs, full, amount, grain, starts }: Outlook, atMs: number): number {
  let then = level;
  let lastMs = nowMs;
  for (const start of starts) {
    if (start.atMs > atMs) break;
    then = refilled(then, full, amount, start.atMs - lastMs) - start.units * grain;
    lastMs = start.atMs;
  }
  return refilled(then, full, amount, atMs - lastMs);
}

/**
 * An instant from `atMs` on that the plan can remember: any while few wait, one of a grid in a crowd, so that however many wait,
 * they begin at few instants. Undefined: it can remember no more. Grids of different waits fit into each other.
 */
export function memorableMs(outlook: Outlook, needed: number, atMs: number): number | undefined {
  const { starts, nowMs, full, amount } = outlook;
  if (starts.length < CROWDED || starts.some((start) => start.atMs === atMs)) return atMs;
  if (starts.length >= MOST_STARTS) return undefined;
  // As long as the bucket has room for what comes in until the next instant of the grid, nothing runs over.
  const most = Math.min((atMs - nowMs) / COARSENESS, (full - needed) / amount);
  const grid = most < 2 ? 1 : 2 ** Math.floor(Math.log2(most));
  return Math.ceil(atMs / grid) * grid;
}

/** Remembers units that begin at an instant. */
export function planStart(starts: PlannedStart[], atMs: number, units: number): void {
  let index = starts.length;
  while (index > 0 && (starts[index - 1]?.atMs ?? 0) >= atMs) index -= 1;
  const same = starts[index];
  if (same?.atMs === atMs) same.units += units;
  else starts.splice(index, 0, { atMs, units });
}

/** Forgets units that were to begin at an instant; false: nothing was. */
export function unplanStart(starts: PlannedStart[], atMs: number, units: number): boolean {
  const index = starts.findIndex((start) => start.atMs === atMs);
  const start = starts[index];
  if (!start) return false;
  start.units -= units;
  if (start.units <= 0) starts.splice(index, 1);
  return true;
}

/** Units that have yet to begin. */
export function unitsPlanned(starts: readonly PlannedStart[], nowMs: number): number {
  let units = 0;
  for (const start of starts) if (start.atMs > nowMs) units += start.units;
  return units;
}

/** Grains that must be there right before each start, so that it and all after it have theirs. */
function requiredBefore({ starts, amount, grain }: Outlook): number[] {
  const required = starts.map(({ units }) => units * grain);
  for (let index = starts.length - 2; index >= 0; index -= 1) {
    const betweenMs = (starts[index + 1]?.atMs ?? 0) - (starts[index]?.atMs ?? 0);
    required[index] = (required[index] ?? 0) + stillRequired(required[index + 1] ?? 0, amount, betweenMs);
  }
  return required;
}

/** What must be there now of grains required after some time: the rest comes in until then. */
function stillRequired(later: number, amount: number, inMs: number): number {
  return Math.max(0, later - amount * inMs);
}
