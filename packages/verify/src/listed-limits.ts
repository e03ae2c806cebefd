import type { BucketLimit, BucketView, CalendarLimit, Counted, RateLimit } from '@nexus/domain';
import { VerifyProblem } from './problem.ts';
import { isRecord } from './record.ts';

/** What `GET /nexus/limits` said. Times are milliseconds since the run began, by the caller's clock. */
export interface ListedLimits {
  readonly sentMs: number;
  readonly answeredMs: number;
  /** The key's public name. */
  readonly key: string;
  readonly buckets: readonly BucketView[];
  /** The most tokens that one call may ask for, input and output; `Infinity` where nothing says so. */
  readonly requestTokens: number;
  /** The names of the limits on single calls. */
  readonly ceilings: readonly string[];
}

/** A limit's full name: `key:search-prod/requests_per_second`. */
export function nameOf({ owner, limit }: Pick<BucketView, 'owner' | 'limit'>): string {
  return `${owner}/${limit.name}`;
}

export type RateView = BucketView & { readonly limit: RateLimit };
export type CalendarView = BucketView & { readonly limit: CalendarLimit };

export function isRate(view: BucketView): view is RateView {
  return view.limit.kind === 'rate';
}

export function isCalendar(view: BucketView): view is CalendarView {
  return view.limit.kind === 'calendar';
}

/** Whether a limit counts money: what a call costs is not for its caller to know, so such a limit is only read. */
export function isMoney({ limit }: Pick<BucketView, 'limit'>): boolean {
  return limit.kind !== 'concurrency' && limit.counts === 'usd';
}

/** Whether a limit is charged by calls of a model alone. */
export function isOfModel({ owner }: Pick<BucketView, 'owner'>): boolean {
  return owner.startsWith('model:');
}

const COUNTED: ReadonlyMap<unknown, Counted> = new Map(
  (['requests', 'model_tokens', 'input_tokens', 'output_tokens', 'usd'] as const).map((counts) => [
    counts,
    counts,
  ]),
);

/** @throws VerifyProblem if it is not what a Nexus of this version says */
export function readListedLimits(body: string, sentMs: number, answeredMs: number): ListedLimits {
  const parsed = parse(body);
  if (!isRecord(parsed) || typeof parsed.key !== 'string' || !Array.isArray(parsed.buckets)) throw notNexus();
  const { key, buckets } = parsed;
  const ceilings = Array.isArray(parsed.ceilings) ? parsed.ceilings.filter(isRecord) : [];
  return {
    sentMs,
    answeredMs,
    key: plain(key),
    buckets: buckets.map(bucketOf),
    requestTokens: ceilingOf(ceilings),
    ceilings: ceilings.flatMap(({ limit }) => (typeof limit === 'string' ? [limit] : [])),
  };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw notNexus();
  }
}

function bucketOf(value: unknown): BucketView {
  if (!isRecord(value) || typeof value.limit !== 'string') throw notNexus();
  const slash = value.limit.lastIndexOf('/');
  const owner = plain(value.limit.slice(0, Math.max(0, slash)));
  const name = plain(value.limit.slice(slash + 1));
  const units = value.counts === 'usd' ? nanoDollars : whole;
  const size = units(value.size);
  const available = units(value.available);
  const untilFullMs = whole(value.full_in_ms);
  if (size < 0 || untilFullMs < 0) throw notNexus();
  return { owner, limit: limitOf(name, value, size), size, available, untilFullMs };
}

function limitOf(name: string, value: Readonly<Record<string, unknown>>, size: number): BucketLimit {
  const { kind, period_ms: periodMs, period } = value;
  if (kind === 'concurrency') return { kind, name, slots: size };
  const counts = COUNTED.get(value.counts);
  const amount = counts === 'usd' ? nanoDollars(value.amount) : whole(value.amount);
  if (counts === undefined || amount < 0) throw notNexus();
  if (kind === 'rate' && isWhole(periodMs) && periodMs > 0)
    return { kind, name, counts, periodMs, amount, burst: size };
  if (kind === 'calendar' && (period === 'day' || period === 'month')) {
    const timeZone = typeof value.time_zone === 'string' ? plain(value.time_zone) : 'UTC';
    return { kind, name, counts, period, amount, timeZone };
  }
  throw notNexus();
}

/** Money is told in dollars, and kept in whole nano-dollars as everywhere. */
function nanoDollars(value: unknown): number {
  return whole(typeof value === 'number' ? Math.round(value * 1e9) : value);
}

function whole(value: unknown): number {
  if (!isInteger(value)) throw notNexus();
  return value;
}

function ceilingOf(ceilings: readonly Readonly<Record<string, unknown>>[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { limit, amount } of ceilings)
    if (isWhole(amount) && typeof limit === 'string' && limit.endsWith('/max_request_tokens'))
      least = Math.min(least, amount);
  return least;
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isWhole(value: unknown): value is number {
  return isInteger(value) && value >= 0;
}

/** Foreign text as it may be shown: short, and without characters that move a terminal's cursor. */
function plain(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}

/** The address answers, but not as Nexus does. */
export function notNexus(): VerifyProblem {
  return new VerifyProblem(
    'what answers there does not tell its limits as this version of Nexus does (GET /nexus/limits). ' +
      'Give the address of the gateway itself, without a path, or update the gateway.',
  );
}
