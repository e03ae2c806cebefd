import type { BucketLimit, BucketView, Limit } from '@nexus/domain';
import { NANO_PER_USD } from '@nexus/prices';

type Shown = Record<string, string | number>;

/** A bucket as those see it who may. */
export function shownBucket({ owner, limit, size, available, untilFullMs }: BucketView): Shown {
  return {
    limit: `${owner}/${limit.name}`,
    ...rule(limit),
    size: shownUnits(limit, size),
    available: shownUnits(limit, available),
    used: shownUnits(limit, size - available),
    full_in_ms: untilFullMs,
  };
}

/** A limit by itself. */
export function shownLimit(limit: Limit): Shown {
  const { name } = limit;
  if (limit.kind === 'size') return { name, kind: limit.kind, amount: limit.amount };
  if (limit.kind === 'concurrency') return { name, kind: limit.kind, amount: limit.slots };
  return { name, ...rule(limit), ...(limit.kind === 'rate' ? { burst: limit.burst } : {}) };
}

/** What the bucket counts, and how it fills: what a client needs to know to compare it with what was let through. */
function rule(limit: BucketLimit): Shown {
  const { kind } = limit;
  if (kind === 'concurrency') return { kind };
  const { counts } = limit;
  const amount = shownUnits(limit, limit.amount);
  if (kind === 'rate') return { kind, counts, amount, period_ms: limit.periodMs };
  return { kind, counts, amount, period: limit.period, time_zone: limit.timeZone };
}

/** Money in dollars, everything else in its own units. */
function shownUnits(limit: BucketLimit, units: number): number {
  return limit.kind !== 'concurrency' && limit.counts === 'usd' ? units / NANO_PER_USD : units;
}
