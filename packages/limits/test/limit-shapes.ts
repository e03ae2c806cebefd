import type {
  BucketLimit,
  CalendarLimit,
  ConcurrencyLimit,
  Counted,
  OwnerLimits,
  RateLimit,
} from '@nexus/domain';

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** 2026-03-01 00:00 UTC: any instant would do. */
export const START_MS = Date.UTC(2026, 2, 1);

export function rate(counts: Counted, amount: number, periodMs: number, burst = amount): RateLimit {
  return { kind: 'rate', name: `${counts}_per_${periodMs}`, counts, periodMs, amount, burst };
}

export function calendar(
  counts: Counted,
  amount: number,
  period: 'day' | 'month' = 'day',
  timeZone = 'UTC',
): CalendarLimit {
  return { kind: 'calendar', name: `${counts}_per_${period}`, counts, period, amount, timeZone };
}

export function slots(count: number): ConcurrencyLimit {
  return { kind: 'concurrency', name: 'concurrent_requests', slots: count };
}

export function owner(name: string, ...buckets: BucketLimit[]): OwnerLimits {
  return { owner: name, buckets, sizes: [] };
}

export function demand(requests: number, inputTokens = 0, outputTokens = 0, nanoUsd = 0) {
  return { requests, inputTokens, outputTokens, nanoUsd };
}
