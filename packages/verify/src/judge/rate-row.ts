import type { BucketView } from '@nexus/domain';
import { isOfModel, isRate, nameOf, type RateView } from '../listed-limits.ts';
import type { LimitRow } from '../report.ts';
import type { Phase, RunRecord } from '../run-record.ts';
import { admittedUnder, barredBy, refusedBy, unitsOf } from './admitted.ts';
import { promiseOf } from './promise.ts';
import { replay } from './replay.ts';
import { settledPassed } from './settled.ts';
import { allowedIn, type Passed, worstWindow } from './windows.ts';

/** What must be let through of what is allowed. */
const SATURATED = 0.99;

function passedUnder(view: RateView, run: RunRecord): Passed[] {
  const { counts } = view.limit;
  const spent = admittedUnder(view, run.phases).map((call) => ({ ...call, units: unitsOf(call, counts) }));
  return counts === 'requests' ? spent : settledPassed(spent);
}

/** Judges a limit with continuous refill: every window of the run, and how much of it was used while it was driven. */
export function rateRow(view: RateView, run: RunRecord): LimitRow {
  const limit = nameOf(view);
  const worst = worstWindow(passedUnder(view, run), view.limit);
  const base = { limit, promise: promiseOf(view), ...(worst ? { worst } : {}) };
  const isBroken = (worst?.over ?? 0) > 0;
  const driven = run.phases.find((phase) => phase.limits.includes(limit) && refusedBy(phase, limit) > 0);
  if (driven === undefined) {
    const why = run.left.get(limit);
    const state = isBroken ? 'broken' : why === undefined ? 'not reached' : 'not driven';
    return { ...base, state, isUnderUsed: false, note: why ?? barredBy(limit, run) };
  }
  const saturation = saturationOf(view, driven);
  return { ...base, state: isBroken ? 'broken' : 'held', ...saturation };
}

/** How much of what a limit allowed in a phase was let through. */
function saturationOf(view: RateView, phase: Phase) {
  const { amount, periodMs, counts } = view.limit;
  const admitted = admittedUnder(view, [phase]);
  const through = admitted.reduce((sum, call) => sum + unitsOf(call, counts), 0);
  const lastMs = Math.max(...phase.calls.map(({ answeredMs }) => answeredMs));
  const windowMs = lastMs - phase.start.sentMs;
  const allowed = allowedIn({ amount, periodMs, burst: levelOf(startOf(view, phase), 1) }, windowMs);
  const could = counts === 'requests' ? couldPass(phase) : allowed - 2 * phase.tokensACall;
  const isUnderUsed = isFirstToRefuse(view, phase) && through < Math.floor(could * SATURATED) - 1;
  const usedShare = allowed > 0 ? through / allowed : 0;
  const why =
    counts === 'requests'
      ? `of these calls an exact limiter would have let through ${could}`
      : `what was left was too little for a call of ${phase.tokensACall} tokens`;
  const note = usedShare < SATURATED && !isUnderUsed ? { note: why } : {};
  return { allowed, through, usedShare, isUnderUsed, ...note };
}

/** What exact buckets would have let through of the phase's calls, those apart that other kinds of limit refused. */
function couldPass({ start, calls, ask }: Phase): number {
  const views = start.buckets
    .filter(isRate)
    .filter((view) => view.limit.counts === 'requests' && (ask !== 'list' || !isOfModel(view)));
  const names = new Set<string | undefined>(views.map(nameOf));
  const asked = calls.filter(
    ({ outcome, refusal }) => outcome === 'admitted' || (outcome === 'refused' && names.has(refusal?.limit)),
  );
  const buckets = views.map((view) => {
    return { ...view.limit, available: Math.max(0, levelOf(view, 0)) };
  });
  const sentMs = asked.map((call) => call.sentMs);
  return replay(sentMs, buckets, start.answeredMs);
}

/**
 * Units in a bucket with their fraction, which the time until it is full tells: whole milliseconds, rounded up. `lateMs`: 0 for
 * the least that it can be, 1 for the most.
 */
function levelOf({ limit, untilFullMs }: RateView, lateMs: 0 | 1): number {
  return limit.burst - (limit.amount * Math.max(0, untilFullMs - lateMs)) / limit.periodMs;
}

function startOf(view: RateView, { start }: Phase): RateView {
  return start.buckets.filter(isRate).find((other) => nameOf(other) === nameOf(view)) ?? view;
}

/** Whether it is this limit that nearly all refusals of the phase name: only then is it to be used up. */
function isFirstToRefuse(view: BucketView, phase: Phase): boolean {
  const refused = phase.calls.filter(({ outcome }) => outcome === 'refused').length;
  return refusedBy(phase, nameOf(view)) >= 0.9 * refused;
}
