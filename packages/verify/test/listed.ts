import { type ListedLimits, readListedLimits } from '../src/listed-limits.ts';

/** A bucket as `GET /nexus/limits` tells it, full unless `more` says otherwise. */
export function told(limit: string, more: Record<string, unknown>): Record<string, unknown> {
  const size = more.size ?? more.amount;
  return { limit, size, available: size, used: 0, full_in_ms: 0, ...more };
}

export const perSecond = (amount: number, more: Record<string, unknown> = {}) =>
  told('key:a/requests_per_second', { kind: 'rate', counts: 'requests', amount, period_ms: 1_000, ...more });

export const tokensPerMinute = (amount: number, more: Record<string, unknown> = {}) =>
  told('key:a/model_tokens_per_minute', {
    kind: 'rate',
    counts: 'model_tokens',
    amount,
    period_ms: 60_000,
    ...more,
  });

export const slots = (size: number, more: Record<string, unknown> = {}) =>
  told('key:a/concurrent_requests', { kind: 'concurrency', size, ...more });

export const perDay = (counts: string, amount: number, more: Record<string, unknown> = {}) =>
  told(`key:a/${counts}_per_day`, {
    kind: 'calendar',
    counts,
    amount,
    period: 'day',
    time_zone: 'UTC',
    ...more,
  });

/** What a gateway said between two instants of the run. */
export function listedAt(
  atMs: number,
  buckets: readonly Record<string, unknown>[],
  ceilings: readonly Record<string, unknown>[] = [],
): ListedLimits {
  return readListedLimits(JSON.stringify({ key: 'a', buckets, ceilings }), atMs, atMs);
}
