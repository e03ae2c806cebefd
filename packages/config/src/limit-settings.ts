import type { Counted, Limit, OnRedisFailure } from '@nexus/domain';
import { isShowable, nearestName } from './did-you-mean.ts';
import { notSupported } from './later.ts';
import { BROKEN, type Finding } from './problems.ts';
import { parseUsd, parseWhole } from './quantity.ts';

const COUNTED: readonly Counted[] = ['requests', 'model_tokens', 'input_tokens', 'output_tokens'];

/** Periods of the limits with continuous refill, in milliseconds. */
const RATE_PERIODS = { second: 1_000, minute: 60_000, hour: 3_600_000 } as const;
const CALENDAR_PERIODS = ['day', 'month'] as const;

/** A limiter keeps grains, one unit being as many as its period has milliseconds; all of it must stay below this. */
const GRAINS_BOUND = 2 ** 52;

interface RateKind {
  readonly kind: 'rate';
  readonly counts: Counted;
  readonly period: keyof typeof RATE_PERIODS;
}
interface CalendarKind {
  readonly kind: 'calendar';
  readonly counts: Counted;
  readonly period: (typeof CALENDAR_PERIODS)[number];
}
export type LimitKind = RateKind | CalendarKind | { readonly kind: 'concurrency' | 'size' };

const RATE_PERIOD_NAMES = ['second', 'minute', 'hour'] as const;

/** Every limit that a `limits` mapping may hold, by its name, in the order of the documentation. */
export const LIMIT_KINDS: ReadonlyMap<string, LimitKind> = new Map<string, LimitKind>([
  ...COUNTED.flatMap((counts) => [
    ...RATE_PERIOD_NAMES.map((period): [string, LimitKind] => [
      `${counts}_per_${period}`,
      { kind: 'rate', counts, period },
    ]),
    ...CALENDAR_PERIODS.map((period): [string, LimitKind] => [
      `${counts}_per_${period}`,
      { kind: 'calendar', counts, period },
    ]),
  ]),
  ['usd_per_day', { kind: 'calendar', counts: 'usd', period: 'day' }],
  ['usd_per_month', { kind: 'calendar', counts: 'usd', period: 'month' }],
  ['concurrent_requests', { kind: 'concurrency' }],
  ['max_request_tokens', { kind: 'size' }],
  ['max_output_tokens', { kind: 'size' }],
]);

/** A finding below the limit's own value, such as at its `burst`. */
export interface LimitFinding extends Finding {
  /** The name inside `{ limit, burst }` that it is about. */
  readonly at?: string;
}

export type ReadLimit =
  | { readonly ok: true; readonly limit: Limit | 'unlimited' }
  | { readonly ok: false; readonly findings: readonly LimitFinding[] };

/**
 * Reads one limit: a whole number, `{ limit, burst }`, or, where there is a default to lift, `unlimited`.
 * `sharedBurst` is the `burst` that stands beside `requests_per_second`.
 */
export function readLimit(
  name: string,
  value: unknown,
  options: { timeZone: string; sharedBurst?: unknown },
): ReadLimit {
  const kind = LIMIT_KINDS.get(name);
  if (kind === undefined) return fail({ wrong: 'is no limit', remedy: 'remove it' });
  if (value === 'unlimited') return { ok: true, limit: 'unlimited' };
  let amountValue = value;
  let burstValue = options.sharedBurst;
  let onRedisFailure: OnRedisFailure | undefined;
  let shadow: true | undefined;
  let alertAt = kind.kind === 'calendar' && kind.counts === 'usd' ? ALERT_AT : undefined;
  const findings: LimitFinding[] = [];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const fields = new Map<string, unknown>(Object.entries(value));
    for (const field of fields.keys()) {
      if (!LIMIT_FIELDS.includes(field)) findings.push(unknownField(field));
    }
    amountValue = fields.get('limit');
    burstValue = fields.get('burst') ?? burstValue;
    const isShadow = fields.get('shadow');
    if (isShadow === true || isShadow === 'true') shadow = true;
    else if (isShadow !== undefined && isShadow !== false && isShadow !== 'false')
      findings.push({ at: 'shadow', wrong: 'is neither true nor false', remedy: 'write true or false' });
    if (fields.has('alert_at')) {
      const read = alertAtOf(kind, fields.get('alert_at'));
      if ('wrong' in read) findings.push({ at: 'alert_at', ...read });
      else alertAt = read;
    }
    if (fields.has('on_redis_failure')) {
      const read = onRedisFailureOf(fields.get('on_redis_failure'));
      if (kind.kind === 'size') {
        const wrong = 'stands at a limit that needs no Redis';
        findings.push({ at: 'on_redis_failure', wrong, remedy: 'remove it' });
      } else if (read.ok) onRedisFailure = read.word;
      else findings.push({ at: 'on_redis_failure', wrong: read.wrong, remedy: read.remedy });
    }
    if (fields.has('burst') && kind.kind !== 'rate') {
      findings.push({
        at: 'burst',
        wrong: 'stands at a limit that has none: only limits per second, minute and hour have a burst',
        remedy: 'remove it',
      });
    }
  }
  if (amountValue === undefined) {
    return fail(...findings, { wrong: 'has no `limit`', remedy: `write ${name}: { limit: 10 }` });
  }
  if (amountValue === BROKEN || burstValue === BROKEN) return fail(...findings);
  const isMoney = kind.kind === 'calendar' && kind.counts === 'usd';
  const amount = isMoney ? parseUsd(amountValue) : parseWhole(amountValue);
  if (isMoney && amount === undefined) return fail(...findings, MONEY);
  if (isMoney && amount !== undefined && amount >= GRAINS_BOUND)
    return fail(...findings, { wrong: 'is too large', remedy: 'write at most 4503599' });
  if (amount === undefined) return fail(...findings, amountFinding(name, kind, amountValue));
  const most =
    kind.kind === 'rate' ? Math.floor((GRAINS_BOUND - 1) / RATE_PERIODS[kind.period]) : GRAINS_BOUND - 1;
  if (amount >= GRAINS_BOUND || (burstValue === undefined && amount > most)) {
    return fail(...findings, { wrong: 'is too large', remedy: `write at most ${most}` });
  }
  const own = {
    ...(onRedisFailure === undefined ? {} : { onRedisFailure }),
    ...(alertAt === undefined ? {} : { alertAt }),
    ...(shadow === undefined ? {} : { shadow }),
  };
  if (kind.kind !== 'rate') {
    return findings.length > 0
      ? fail(...findings)
      : { ok: true, limit: { ...plainLimit(name, kind, amount, options.timeZone), ...own } };
  }
  const burst = burstValue === undefined ? amount : parseWhole(burstValue);
  const burstProblem = burstFinding(amount, burst, most);
  if (burstProblem !== undefined) findings.push({ at: 'burst', ...burstProblem });
  if (findings.length > 0 || burst === undefined) return fail(...findings);
  const { counts } = kind;
  return {
    ok: true,
    limit: { kind: 'rate', name, counts, periodMs: RATE_PERIODS[kind.period], amount, burst, ...own },
  };
}

function fail(...findings: LimitFinding[]): ReadLimit {
  return { ok: false, findings };
}

function plainLimit(
  name: string,
  kind: Exclude<LimitKind, RateKind>,
  amount: number,
  timeZone: string,
): Limit {
  if (kind.kind === 'calendar') {
    return { kind: 'calendar', name, counts: kind.counts, period: kind.period, amount, timeZone };
  }
  if (name === 'max_request_tokens' || name === 'max_output_tokens') return { kind: 'size', name, amount };
  return { kind: 'concurrency', name, slots: amount };
}

function burstFinding(amount: number, burst: number | undefined, most: number): Finding | undefined {
  if (burst === undefined) return { wrong: 'is not a whole number', remedy: 'write a whole number from 1' };
  if (amount === 0) {
    return burst === 0
      ? undefined
      : { wrong: 'stands beside a limit of 0, which refuses everything', remedy: 'remove the burst' };
  }
  if (burst === 0) {
    return {
      wrong: 'is 0, which would refuse everything',
      remedy: 'write at least 1, or leave it out; to refuse everything set the limit to 0',
    };
  }
  return burst > most ? { wrong: 'is too large', remedy: `write at most ${most}` } : undefined;
}

/** Where nothing else is said, a budget tells when it is half, nearly and wholly spent. */
const ALERT_AT: readonly number[] = Object.freeze([50, 80, 100]);

const MONEY: Finding = {
  wrong: 'is no amount of US dollars',
  remedy: 'write such as 50 or 0.25, at most 4503599; 0 refuses everything',
};

/** `[50%, 80%]` as ascending numbers, or what is wrong with it. */
function alertAtOf(kind: LimitKind, value: unknown): readonly number[] | Finding {
  if (kind.kind !== 'calendar')
    return { wrong: 'stands at a limit that is no day’s or month’s', remedy: 'remove it' };
  const remedy = 'write such as [50%, 80%, 100%]';
  if (!Array.isArray(value)) return { wrong: 'is not a list', remedy };
  const percents = value.map((one: unknown) => Number(/^(\d{1,3})%$/.exec(String(one))?.[1] ?? Number.NaN));
  if (!percents.every((percent) => percent >= 1 && percent <= 100))
    return { wrong: 'holds something else than per cent from 1% to 100%', remedy };
  return Object.freeze([...new Set(percents)].toSorted((one, other) => one - other));
}

/** What `{ limit, … }` may hold. */
const LIMIT_FIELDS: readonly string[] = ['limit', 'burst', 'alert_at', 'shadow', 'on_redis_failure'];

type ReadWord = { readonly ok: true; readonly word: OnRedisFailure } | ({ readonly ok: false } & Finding);

function onRedisFailureOf(value: unknown): ReadWord {
  if (value === 'local' || value === 'closed' || value === 'open') return { ok: true, word: value };
  return { ok: false, wrong: 'is none of its choices', remedy: 'write local or closed or open' };
}

function unknownField(field: string): LimitFinding {
  const later = notSupported('limit', field);
  if (later !== undefined)
    return { at: field, wrong: 'is not supported by this version of Nexus', remedy: later.remedy };
  const meant = nearestName(field, LIMIT_FIELDS);
  if (meant !== undefined) return { at: field, wrong: 'is unknown', remedy: `did you mean \`${meant}\`?` };
  const remedy = 'a limit has `limit`, `burst`, `alert_at`, `shadow` and `on_redis_failure`';
  // A name that is not made like a setting's may be a secret; it is not repeated.
  if (!isShowable(field)) return { wrong: 'holds an unknown name', remedy };
  return { at: field, wrong: 'is unknown', remedy };
}

function amountFinding(name: string, kind: LimitKind, value: unknown): LimitFinding {
  if (typeof value === 'number' || (typeof value === 'string' && /^\d+\.\d+$/.test(value))) {
    const number = Number(value);
    if (Number.isNaN(number) || number === Number.POSITIVE_INFINITY) {
      return { wrong: 'is not a number', remedy: 'write a whole number; leave the limit out for no limit' };
    }
    if (number < 0) return { wrong: 'is negative', remedy: 'write a whole number; 0 refuses everything' };
    if (!Number.isInteger(number))
      return { wrong: 'is not a whole number', remedy: wholeRemedy(name, kind, number) };
    return { wrong: 'is too large', remedy: 'write a smaller number; leave the limit out for no limit' };
  }
  const digits = typeof value === 'string' ? value.replaceAll(/[_, ']/g, '') : '';
  const short = /^(\d{1,6})(k|m)$/i.exec(digits);
  const meant = short
    ? Number(short[1]) * (short[2]?.toLowerCase() === 'k' ? 1_000 : 1_000_000)
    : parseWhole(digits);
  return {
    wrong: 'is not a whole number',
    remedy: meant === undefined ? `write such as ${name}: 10` : `write ${name}: ${meant}`,
  };
}

/** A fraction of a request a second is a whole number a minute or an hour. */
function wholeRemedy(name: string, kind: LimitKind, fraction: number): string {
  if (kind.kind === 'rate') {
    for (const period of RATE_PERIOD_NAMES) {
      const amount = (fraction * RATE_PERIODS[period]) / RATE_PERIODS[kind.period];
      const whole = Math.round(amount);
      if (
        RATE_PERIODS[period] > RATE_PERIODS[kind.period] &&
        whole > 0 &&
        Math.abs(amount - whole) < 1e-9 * whole
      ) {
        return `write ${kind.counts}_per_${period}: ${whole}`;
      }
    }
  }
  return `write ${name}: ${Math.max(1, Math.floor(fraction))}`;
}
