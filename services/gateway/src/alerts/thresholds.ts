import type { BucketView, CalendarLimit, Demand, Denied, Settlement } from '@nexus/domain';
import { windowAt, windowEndMs } from '@nexus/limits';

/** A limit of a day or month that is used up to a threshold. */
export interface Reached {
  readonly owner: string;
  readonly limit: CalendarLimit;
  /** Per cent of the amount. */
  readonly threshold: number;
  /** In the units that the limit counts. */
  readonly used: number;
  /** The first instant of the next day or month. */
  readonly endMs: number;
  /** The same for everybody who sees it, and for nothing else: owner, limit, its amount, the threshold, the day or month. */
  readonly id: string;
}

/**
 * The thresholds that the buckets of a settled request have reached. What other requests under way have reserved counts as used: they may
 * use it.
 * @param views the buckets right after the request was admitted
 * @param reserved what it held of them since, and `used` what it was charged in its place
 */
export function thresholdsReached(
  views: readonly BucketView[],
  reserved: Demand,
  used: Settlement,
  nowMs: number,
): Reached[] {
  const reached: Reached[] = [];
  for (const { owner, limit, size, available } of views) {
    if (limit.kind !== 'calendar' || limit.alertAt === undefined || size === 0) continue;
    const now = size - available - unitsOf(limit, reserved) + unitsOf(limit, used);
    for (const threshold of limit.alertAt) {
      if (now * 100 < threshold * size) break;
      reached.push(reachedAt(owner, limit, threshold, now, nowMs));
    }
  }
  return reached;
}

/** A limit that refuses from here on is spent, though what is left of it was never used. */
const SPENT_PERCENT = 90;

/**
 * 100 %, where a refusal shows that it is as good as reached: what is left of the day or month is not enough for a request, which a whole one
 * would let through. Budgets seldom end to the nano-dollar. Not where what is left is much, and the request was just large; not
 * where an instance spoke for its own part of the limit.
 */
export function spentBy({ refusal, retryAfterMs, degraded }: Denied, nowMs: number): Reached | undefined {
  const { owner, limit, used, size } = refusal;
  if (limit.kind !== 'calendar' || limit.alertAt?.includes(100) !== true) return undefined;
  if (degraded || retryAfterMs === 'never' || size === 0 || used * 100 < SPENT_PERCENT * size)
    return undefined;
  return reachedAt(owner, limit, 100, used, nowMs);
}

function reachedAt(
  owner: string,
  limit: CalendarLimit,
  threshold: number,
  used: number,
  nowMs: number,
): Reached {
  const { name, timeZone, period, amount } = limit;
  const window = windowAt(timeZone, period, nowMs);
  const id = [owner, name, amount, threshold, window].join(' ');
  return { owner, limit, threshold, used, endMs: windowEndMs(timeZone, period, window), id };
}

/** Units of what is held until the end; requests are charged at once, and stay. */
function unitsOf({ counts }: CalendarLimit, { inputTokens, outputTokens, nanoUsd = 0 }: Settlement): number {
  switch (counts) {
    case 'requests':
      return 0;
    case 'input_tokens':
      return inputTokens;
    case 'output_tokens':
      return outputTokens;
    case 'model_tokens':
      return inputTokens + outputTokens;
    case 'usd':
      return nanoUsd;
  }
}
