import { CLOCK_DRIFT, CLOCK_TICK_MS, type RateBound, worstWindow } from '@nexus/verify/judge';
import type { Call } from './clients.ts';

/** One limit, and which calls it counts. */
export interface Allowance {
  /** As `x-nexus-limit` has it: `key:…/requests_per_second`. */
  readonly limit: string;
  readonly bound: RateBound;
  /** Whether a call concerns the limit at all. */
  readonly concerns: (call: Call) => boolean;
  /** Units that each such call takes. */
  readonly unitsACall: number;
}

/** Whether Nexus certainly let a call through: an answer of the upstream began. */
function wasAdmitted({ end, status }: Call): boolean {
  return status === 200 && end !== 'refused';
}

/**
 * How many units certainly passed beyond what the limit allows in the worst of all windows; 0: none.
 * @param extra units that are allowed besides, once
 */
export function overIn(
  { bound, concerns, unitsACall }: Allowance,
  calls: readonly Call[],
  extra = 0,
): number {
  const passed = calls
    .filter((call) => concerns(call) && wasAdmitted(call))
    .map(({ sentMs, answeredMs = sentMs }) => ({ sentMs, answeredMs, units: unitsACall }));
  return Math.max(0, worstWindow(passed, { ...bound, burst: bound.burst + extra })?.over ?? 0);
}

/** What passed between two refusals of a limit, and what an exact bucket lets through between them at least. */
export interface Used {
  readonly units: number;
  readonly due: number;
}

/** From so many of the refusals on it is looked. */
const STARTS = 50;

/**
 * How much of a limit was used while it refused, from where that looks worst to the last refusal. At the moment of each refusal there was
 * less in the bucket than a call takes, so between two of them all that came back was let through, but what ran over: nothing,
 * unless two refusals are further apart than it takes to fill. So this doesn't depend on how fast the machine is. Every refusal must be
 * Redis' own.
 *
 * @param heldCalls calls of tokens that may be held at once: what is held can't refill
 */
export function usedOf(allowance: Allowance, calls: readonly Call[], heldCalls = 0): Used {
  const { limit, concerns } = allowance;
  const refused = calls.filter((call) => call.end === 'refused' && call.limit === limit).map(momentOf);
  refused.sort((one, other) => one.sentMs - other.sentMs);
  const passed = calls.filter((call) => concerns(call) && wasAdmitted(call)).map(momentOf);
  let worst: Used = { units: 0, due: 0 };
  for (let start = 0; start < refused.length; start += Math.ceil(refused.length / STARTS)) {
    const used = usedBetween(allowance, refused.slice(start), passed, heldCalls);
    if (start === 0 || used.units - used.due < worst.units - worst.due) worst = used;
  }
  return worst;
}

function usedBetween(
  { bound, unitsACall }: Allowance,
  empty: readonly Moment[],
  passed: readonly Moment[],
  heldCalls: number,
): Used {
  const [first] = empty;
  const last = empty.at(-1);
  if (first === undefined || last === undefined) return { units: 0, due: 0 };
  const perMs = bound.amount / bound.periodMs;
  const fillsMs = (bound.burst - unitsACall * (1 + heldCalls)) / perMs;
  const spanMs = Math.max(0, last.sentMs - first.answeredMs) * (1 - CLOCK_DRIFT) - CLOCK_TICK_MS;
  const due = perMs * (spanMs - overflowMs(empty, fillsMs)) - unitsACall;
  // Whatever may lie between them.
  const between = passed.filter(
    ({ sentMs, answeredMs }) => sentMs <= last.answeredMs && answeredMs >= first.sentMs,
  );
  return { units: between.length * unitsACall, due: Math.max(0, Math.floor(due)) };
}

function momentOf({ sentMs, answeredMs = sentMs }: Call): Moment {
  return { sentMs, answeredMs };
}

interface Moment {
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** For how long a bucket may have been full between the first and the last of moments at which it was empty. */
function overflowMs(empty: readonly Moment[], fillsMs: number): number {
  const apartMs = (one: Moment, other: Moment) =>
    Math.max(other.answeredMs - one.sentMs, one.answeredMs - other.sentMs);
  let lostMs = 0;
  let [at] = empty;
  for (let next = 1; at !== undefined && next < empty.length; ) {
    // As far as it can't have filled; at least one further.
    let to = next;
    while (to + 1 < empty.length && isWithin(apartMs, at, empty[to + 1], fillsMs)) to += 1;
    const reached: Moment | undefined = empty[to];
    if (reached) lostMs += Math.max(0, apartMs(at, reached) - fillsMs);
    at = reached;
    next = to + 1;
  }
  return lostMs;
}

function isWithin(
  apartMs: (one: Moment, other: Moment) => number,
  one: Moment,
  other: Moment | undefined,
  ms: number,
): boolean {
  return other !== undefined && apartMs(one, other) <= ms;
}
