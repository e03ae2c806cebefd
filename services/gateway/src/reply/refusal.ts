import type { BucketLimit, Denied, Refusal, SizeLimit } from '@nexus/domain';
import { formatUsd } from '@nexus/prices';
import { isBudget } from '../budgets/changed-budgets.ts';
import { goDuration } from './go-duration.ts';

/** What is told to a client whose request a limit refused. */
export interface RefusalReply {
  readonly type: 'requests' | 'tokens' | 'insufficient_quota';
  readonly code: 'rate_limit_exceeded' | 'insufficient_quota';
  readonly message: string;
  /** `owner/limit`, for `x-nexus-limit`. */
  readonly limit: string;
  /** For `retry-after-ms`; undefined where trying again is useless or the wait is a quota's. */
  readonly retryAfterMs: number | undefined;
  readonly shouldRetry: boolean | undefined;
}

/** A wait that SDKs should not sleep through: those of 2026 sleep the whole of it, or retry regardless. */
const LONGEST_SLEEP_MS = 60_000;

const WHAT = {
  requests: 'requests',
  model_tokens: 'tokens',
  input_tokens: 'input tokens',
  output_tokens: 'output tokens',
  usd: 'US dollars',
};
const SHORT = { requests: 'R', model_tokens: 'T', input_tokens: 'IT', output_tokens: 'OT', usd: '$' };
const PERIODS = new Map([
  [1000, ['second', 'sec', 'PS']],
  [60_000, ['minute', 'min', 'PM']],
  [3_600_000, ['hour', 'hour', 'PH']],
]);

/** As OpenAI says it: `tokens per min (TPM)`. */
function described(limit: BucketLimit): string {
  if (limit.kind === 'concurrency') return 'concurrent requests';
  const what = WHAT[limit.counts];
  const short = SHORT[limit.counts];
  if (limit.kind === 'calendar')
    return limit.counts === 'usd'
      ? `${what} per ${limit.period}`
      : `${what} per ${limit.period} (${SHORT[limit.counts]}P${limit.period === 'day' ? 'D' : 'MO'})`;
  const [, word, letters] = PERIODS.get(limit.periodMs) ?? ['', `${limit.periodMs} ms`, ''];
  return `${what} per ${word} (${short}${letters})`;
}

/** How the bucket refills, where its size alone doesn't tell. */
function refill(limit: BucketLimit): string {
  if (limit.kind !== 'rate' || limit.burst === limit.amount) return '';
  const [word] = PERIODS.get(limit.periodMs) ?? [`${limit.periodMs} ms`];
  return ` (${limit.amount} come back each ${word})`;
}

/** The reply to a denial of the limiter. `model` is what the client called, undefined for calls without one. */
export function refusalReply(denied: Denied, model: string | undefined, nowMs: number): RefusalReply {
  const { refusal, retryAfterMs } = denied;
  const { owner, limit, used, requested, size } = refusal;
  const type = limit.kind === 'concurrency' || limit.counts === 'requests' ? 'requests' : 'tokens';
  const name = `${owner}/${limit.name}`;
  const amount = (units: number) => shownUnits(limit, units);
  const sums = `Limit ${amount(size)}, Used ${amount(used)}, Requested ${amount(requested)}`;
  const where = `for ${model ?? 'requests'} in ${owner} on ${described(limit)}: ${sums}`;
  if (retryAfterMs === 'never' && isBudget(limit))
    return quota(`${where}, which is more than all of it`, name);
  if (retryAfterMs === 'never') return tooLarge(refusal, name, type, where);
  if (limit.kind === 'calendar') {
    return quota(
      `${where}. It renews at ${renewal(nowMs + retryAfterMs)}, in ${goDuration(retryAfterMs)}`,
      name,
    );
  }
  const message = `Rate limit reached ${where}. Please try again in ${goDuration(retryAfterMs)}. Limit: ${name}${refill(limit)}.`;
  const shouldRetry = retryAfterMs > LONGEST_SLEEP_MS ? false : undefined;
  return { type, code: 'rate_limit_exceeded', message, limit: name, retryAfterMs, shouldRetry };
}

/** Days and months begin on whole minutes; `nearMs` is off by what lies between the keeper's clock and ours. */
function renewal(nearMs: number): string {
  const minuteMs = 60_000;
  return new Date(Math.round(nearMs / minuteMs) * minuteMs).toISOString();
}

function quota(what: string, name: string): RefusalReply {
  return {
    type: 'insufficient_quota',
    code: 'insufficient_quota',
    message: `You exceeded your current quota ${what}. Limit: ${name}.`,
    limit: name,
    retryAfterMs: undefined,
    shouldRetry: false,
  };
}

/** Units as people read them: money in dollars. */
function shownUnits(limit: BucketLimit, units: number): string {
  return limit.kind !== 'concurrency' && limit.counts === 'usd' ? `$${formatUsd(units)}` : String(units);
}

function tooLarge(refusal: Refusal, name: string, type: 'requests' | 'tokens', where: string): RefusalReply {
  const message =
    refusal.size === 0
      ? `Rate limit reached ${where}. Limit: ${name}, which lets nothing through.`
      : `Request too large ${where}. The input or output tokens must be reduced in order to run successfully. Limit: ${name}.`;
  return {
    type,
    code: 'rate_limit_exceeded',
    message,
    limit: name,
    retryAfterMs: undefined,
    shouldRetry: false,
  };
}

/** The reply to a request that is larger than any single request may be. */
export function sizeReply(
  owner: string,
  limit: SizeLimit,
  requested: number,
  model: string | undefined,
): RefusalReply {
  const name = `${owner}/${limit.name}`;
  const on = limit.name === 'max_output_tokens' ? 'output tokens per request' : 'tokens per request';
  const message = `Request too large for ${model ?? 'requests'} in ${owner} on ${on}: Limit ${limit.amount}, Requested ${requested}. The input or output tokens must be reduced in order to run successfully. Limit: ${name}.`;
  return {
    type: 'tokens',
    code: 'rate_limit_exceeded',
    message,
    limit: name,
    retryAfterMs: undefined,
    shouldRetry: false,
  };
}
