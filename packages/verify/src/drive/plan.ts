import type { Counted, RateLimit } from '@nexus/domain';
import {
  isCalendar,
  isMoney,
  isOfModel,
  isRate,
  type ListedLimits,
  nameOf,
  type RateView,
} from '../listed-limits.ts';
import type { VerifyOptions } from '../options.ts';
import { LONG_ASK_INPUT_TOKENS } from './ask.ts';

/** What is sent in a phase. `input` and `output` are tokens a call, at most. */
export interface Load {
  readonly ask: 'list' | 'chat' | 'long';
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Drives limits with continuous refill at ten times their rate. */
export interface FloodPlan extends Load {
  readonly title: string;
  /** Full names of the limits meant. */
  readonly limits: readonly string[];
  readonly seconds: number;
  /** Calls to try each second once the limit has begun to refuse. */
  readonly triesPerSecond: number;
  /** Calls that will reach the upstream, about; the phase ends at this many and a tenth more. */
  readonly calls: number;
}

/** Holds more streams open at once than the limit has slots. */
export interface HoldPlan {
  readonly title: string;
  readonly limits: readonly string[];
  readonly slots: number;
  readonly streams: number;
  readonly outputTokens: number;
}

export interface Plan {
  readonly hold: HoldPlan | undefined;
  readonly floods: readonly FloodPlan[];
  /** Why a limit is not driven, by its full name. */
  readonly left: ReadonlyMap<string, string>;
  /** Calls and tokens that the upstream will bill, about and at most. */
  readonly calls: number;
  readonly tokens: number;
}

export const OVERLOAD = 10;
const MOST_TRIES_PER_SECOND = 5_000;
/** Also of a limit of one an hour it is seen soon that it refuses. */
const LEAST_TRIES_PER_SECOND = 5;
const SHORTEST_S = 2;
const STREAM_TOKENS = 300;
const SHORTEST_STREAM_TOKENS = 16;
const LARGEST_PROMPT_TOKENS = 8_000;
/** Calls that share a token limit between them, about. */
const TOKEN_CALLS = 150;
const SMALLEST_PROMPT_TOKENS = 12;
/** Of a day's or month's amount that is left, no more than this is used. */
const CALENDAR_SHARE = 0.5;
const TOO_LITTLE_LEFT = "too little of a day's or month's amount is left";

/** Decides what to drive, how hard, and what it costs. Sends nothing. `canList`: the upstream lists its models. */
export function planRun(listed: ListedLimits, options: VerifyOptions, canList: boolean): Plan {
  const left = new Map<string, string>();
  const purse = { tokens: options.tokenBudget, calls: Number.POSITIVE_INFINITY, isShort: false };
  for (const view of listed.buckets.filter(isMoney)) left.set(nameOf(view), 'money is only read');
  for (const view of listed.buckets.filter(isCalendar)) {
    if (isMoney(view)) continue;
    const share = Math.max(0, Math.floor(view.available * CALENDAR_SHARE));
    if (view.limit.counts === 'requests') purse.calls = Math.min(purse.calls, share);
    else if (share < purse.tokens) Object.assign(purse, { tokens: share, isShort: true });
    left.set(nameOf(view), `a ${view.limit.period}'s amount is only read, never driven to its end`);
  }
  const rates = listed.buckets.filter(isRate).filter((view) => !isMoney(view));
  for (const view of rates) if (view.size === 0) left.set(nameOf(view), 'it lets nothing through');
  const open = rates.filter(({ size }) => size > 0);
  const context: Context = { listed, options, purse, left, canList };
  const hold = planHold(context);
  const of = (...counted: Counted[]) => open.filter(({ limit }) => counted.includes(limit.counts));
  const requests = of('requests');
  const ofKey = requests.filter((view) => !isOfModel(view));
  // Long answers first: gateways learn from each answer what to reserve for the next.
  const floods = [
    planTokens(context, 'output tokens', of('output_tokens')),
    planTokens(context, 'tokens', of('model_tokens', 'input_tokens')),
    planRequests(context, 'requests', ofKey, canList ? 'list' : 'chat'),
    canList ? planRequests(context, 'requests of the model', requests.filter(isOfModel), 'chat') : undefined,
  ].filter((flood) => flood !== undefined);
  const streams = hold?.streams ?? 0;
  return {
    hold,
    floods,
    left,
    calls: streams + floods.reduce((sum, { calls }) => sum + calls, 0),
    tokens: Math.ceil(
      streams * (LONG_ASK_INPUT_TOKENS + (hold?.outputTokens ?? 0)) +
        floods.reduce((sum, flood) => sum + flood.calls * tokensOf(flood), 0),
    ),
  };
}

interface Context {
  readonly listed: ListedLimits;
  readonly options: VerifyOptions;
  /** What may still be spent; planning takes from it. `isShort`: less than the budget, because of a day's or month's amount. */
  readonly purse: { tokens: number; calls: number; isShort: boolean };
  readonly left: Map<string, string>;
  readonly canList: boolean;
}

function tokensOf({ inputTokens, outputTokens }: Load): number {
  return inputTokens + outputTokens;
}

function perSecond({ amount, periodMs }: RateLimit): number {
  return (amount * 1000) / periodMs;
}

/** The smallest token bucket: no call may be larger. */
function smallestBucket({ listed }: Context): number {
  const sizes = listed.buckets.flatMap(({ limit, size }) =>
    limit.kind === 'concurrency' || limit.counts === 'requests' || limit.counts === 'usd' ? [] : [size],
  );
  return Math.min(listed.requestTokens, ...sizes);
}

function planHold(context: Context): HoldPlan | undefined {
  const { listed, options, purse, left } = context;
  const views = listed.buckets.filter(({ limit }) => limit.kind === 'concurrency');
  const tightest = least(views, ({ available }) => available);
  if (tightest === undefined) return undefined;
  const names = views.map(nameOf);
  const leave = (why: string) => {
    for (const name of names) left.set(name, why);
    return undefined;
  };
  if (tightest.size === 0) return leave('it lets nothing through');
  const streams = tightest.size + Math.max(2, Math.ceil(tightest.size * 0.1));
  if (streams > options.connections)
    return leave(`it takes ${streams} streams at once: --connections ${streams}`);
  const room = Math.floor((smallestBucket(context) * 0.8) / streams) - LONG_ASK_INPUT_TOKENS;
  const outputTokens = Math.min(STREAM_TOKENS, room);
  if (outputTokens < SHORTEST_STREAM_TOKENS)
    return leave(`the limits on tokens leave too little room for ${streams} streams`);
  const tokens = streams * (LONG_ASK_INPUT_TOKENS + outputTokens);
  if (tokens > purse.tokens) return leave(tooDear(context, tokens));
  if (streams > purse.calls) return leave(TOO_LITTLE_LEFT);
  purse.tokens -= tokens;
  purse.calls -= streams;
  return { title: 'requests at once', limits: names, slots: tightest.size, streams, outputTokens };
}

function planTokens(context: Context, title: string, views: readonly RateView[]): FloodPlan | undefined {
  const { listed, options, purse, left } = context;
  const tightest = least(views, (view) => unitsIn(view, options.seconds));
  if (tightest === undefined) return undefined;
  const names = views.map(nameOf);
  const isOutput = tightest.limit.counts === 'output_tokens';
  const room = Math.floor(Math.min(LARGEST_PROMPT_TOKENS, smallestBucket(context) / 4));
  const overhead = isOutput ? LONG_ASK_INPUT_TOKENS : 1;
  if (room < SMALLEST_PROMPT_TOKENS + overhead)
    return leaveAll(left, names, 'its bucket is too small for a call');
  let seconds = options.seconds;
  while (seconds > SHORTEST_S && unitsIn(tightest, seconds) > purse.tokens)
    seconds = Math.max(SHORTEST_S, seconds / 2);
  const total = unitsIn(tightest, seconds);
  // A limit on requests must not bar the way to this one.
  const requests = listed.buckets.filter(isRate).filter(({ limit }) => limit.counts === 'requests');
  const callsAllowed = Math.min(...requests.map((view) => unitsIn(view, seconds)), purse.calls * 2, 1e6);
  const wanted = Math.max(total / TOKEN_CALLS, (2 * total) / callsAllowed, SMALLEST_PROMPT_TOKENS);
  const perCall = Math.ceil(Math.min(wanted, room - overhead));
  const calls = Math.ceil(total / perCall);
  const tokens = calls * (perCall + overhead);
  if (tokens > purse.tokens) return leaveAll(left, names, tooDear(context, tokens));
  if (calls > purse.calls) return leaveAll(left, names, TOO_LITTLE_LEFT);
  purse.tokens -= tokens;
  purse.calls -= calls;
  const load: Load = isOutput
    ? { ask: 'long', inputTokens: LONG_ASK_INPUT_TOKENS, outputTokens: perCall }
    : { ask: 'chat', inputTokens: perCall, outputTokens: 1 };
  return { title, limits: names, seconds, calls, ...load, triesPerSecond: tries(tightest, perCall) };
}

function planRequests(
  context: Context,
  title: string,
  views: readonly RateView[],
  ask: 'list' | 'chat',
): FloodPlan | undefined {
  const { options, purse, left } = context;
  const tightest = least(views, (view) => unitsIn(view, options.seconds));
  if (tightest === undefined) return undefined;
  const names = views.map(nameOf);
  const most = Math.min(options.callBudget, purse.calls);
  let seconds = options.seconds;
  while (seconds > SHORTEST_S && unitsIn(tightest, seconds) > most)
    seconds = Math.max(SHORTEST_S, seconds / 2);
  const calls = Math.ceil(unitsIn(tightest, seconds));
  if (calls > most) {
    const why =
      most === options.callBudget ? `it takes about ${calls} calls: --call-budget ${calls}` : TOO_LITTLE_LEFT;
    return leaveAll(left, names, why);
  }
  const load: Load =
    ask === 'list'
      ? { ask, inputTokens: 0, outputTokens: 0 }
      : { ask, inputTokens: SMALLEST_PROMPT_TOKENS, outputTokens: 1 };
  const tokens = calls * tokensOf(load);
  if (tokens > purse.tokens) return leaveAll(left, names, tooDear(context, tokens));
  purse.tokens -= tokens;
  purse.calls -= calls;
  return { title, limits: names, seconds, calls, ...load, triesPerSecond: tries(tightest, 1) };
}

/** Units that a full bucket lets through in so many seconds. */
function unitsIn({ size, limit }: RateView, seconds: number): number {
  return size + perSecond(limit) * seconds;
}

function tries({ limit }: RateView, unitsACall: number): number {
  const wanted = (OVERLOAD * perSecond(limit)) / unitsACall;
  return Math.min(MOST_TRIES_PER_SECOND, Math.max(LEAST_TRIES_PER_SECOND, wanted));
}

function leaveAll(left: Map<string, string>, names: readonly string[], why: string): undefined {
  for (const name of names) left.set(name, why);
  return undefined;
}

function tooDear({ purse, options }: Context, tokens: number): string {
  if (purse.isShort) return TOO_LITTLE_LEFT;
  const spent = options.tokenBudget - purse.tokens;
  return `it takes about ${Math.ceil(tokens)} tokens: --token-budget ${Math.ceil(spent + tokens)}`;
}

function least<T>(items: readonly T[], of: (item: T) => number): T | undefined {
  let found: T | undefined;
  for (const item of items) if (found === undefined || of(item) < of(found)) found = item;
  return found;
}
