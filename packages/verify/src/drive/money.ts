import type { Call } from '../call.ts';
import { shownUnits } from '../judge/promise.ts';
import { isMoney, type ListedLimits, nameOf } from '../listed-limits.ts';

/** Of the money that is left, no more than this is used. */
const MONEY_SHARE = 0.5;

/**
 * Whether so many tokens would cost more than half of what is left in one of the key's budgets, judged by what the calls
 * between two readings cost: in words, or undefined if not. Where others spend as well, their calls count as ours: that errs on the safe side.
 */
export function tooDear(
  before: ListedLimits,
  after: ListedLimits,
  calls: readonly Call[],
  tokens: number,
): string | undefined {
  const used = calls.reduce(
    (sum, { usage }) => sum + (usage ? usage.inputTokens + usage.outputTokens : 0),
    0,
  );
  if (used === 0) return undefined;
  for (const view of after.buckets.filter(isMoney)) {
    const was = before.buckets.find((other) => nameOf(other) === nameOf(view));
    const spent = Math.max(0, (was?.available ?? view.available) - view.available);
    const cost = (spent / used) * tokens;
    if (cost > view.available * MONEY_SHARE)
      return `the run would cost about ${shownUnits(view, cost)}, and ${nameOf(view)} has ${shownUnits(view, view.available)} left`;
  }
  return undefined;
}
