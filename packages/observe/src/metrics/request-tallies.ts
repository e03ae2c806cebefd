import { type BucketView, ERROR_KINDS, type ErrorCode, type Usage } from '@nexus/domain';
import type { RequestLine } from '../request-line.ts';
import { METRICS } from './definitions.ts';
import { HistogramTally } from './histogram-tally.ts';
import {
  KINDS,
  type Kind,
  limitLabels,
  NONE,
  OUTCOME_OF,
  OUTCOMES,
  RESULT_OF_ERROR,
  SOURCE_OF,
  SOURCES,
  STATUSES,
  statusClass,
  TOKEN_TYPES,
} from './label-values.ts';
import { MODEL_FAMILIES, modelFamily } from './model-family.ts';
import { bump } from './numbers.ts';
import { type GivenUp, resultOf, UpstreamTallies } from './upstream-tally.ts';

/** What metrics take from a request that has ended: its log line, and what that doesn't say. */
export interface EndedRequest extends RequestLine {
  /** The kind of metered call; undefined: it passed unread. */
  readonly kind: Kind | undefined;
  readonly tier: string | undefined;
  readonly errorCode?: ErrorCode | undefined;
  readonly usage?: Usage | undefined;
  /** Whether it was sent upstream, as far as is known. */
  readonly sent: boolean;
  /** Whether the upstream broke off in the midst of its answer. */
  readonly brokeOff: boolean;
  /** From the request's arrival until it was handed to the upstream. */
  readonly upstreamStartMs: number | undefined;
  /** From the request's arrival to the first event of a stream. */
  readonly firstChunkMs: number | undefined;
  /** From the answer's end until it was settled; undefined: nothing was held. */
  readonly settlementMs: number | undefined;
  /** What the decision showed of the buckets. */
  readonly buckets: readonly BucketView[] | undefined;
  /** Attempts that were given up for another one, in their order. */
  readonly givenUp?: readonly GivenUp[] | undefined;
}

const PLACE_OF_KIND: ReadonlyMap<Kind, number> = new Map(KINDS.map((kind, place) => [kind, place]));
const PLACE_OF_OTHER = KINDS.indexOf('other');

/** Requests and tokens of one team, tier, family and kind. */
export class TrafficTally {
  readonly team: string;
  readonly tier: string;
  readonly family: string;
  readonly kind: Kind;
  /** By outcome, then by class of status. */
  readonly requests = new Float64Array(OUTCOMES.length * STATUSES.length);
  costUsd = 0;
  /** By type, then by source. */
  readonly tokens = new Float64Array(TOKEN_TYPES.length * SOURCES.length);

  constructor(team: string, tier: string, family: string, kind: Kind) {
    this.team = team;
    this.tier = tier;
    this.family = family;
    this.kind = kind;
  }
}

/** What is known of one family and kind of call, whoever made it. */
export class CallTally {
  readonly family: string;
  readonly kind: Kind;
  /** By the place of the result that was an error; 0: of all that went well. */
  readonly durations = new Map<number, HistogramTally>();
  readonly firstChunk = new HistogramTally(METRICS.firstChunk.buckets);
  readonly inputTokens = new HistogramTally(METRICS.tokenUsage.buckets);
  readonly outputTokens = new HistogramTally(METRICS.tokenUsage.buckets);
  readonly estimates = { input: newEstimates(), output: newEstimates() };

  constructor(family: string, kind: Kind) {
    this.family = family;
    this.kind = kind;
  }
}

/** What was reserved for requests, and how it missed. */
interface Estimates {
  reserved: number;
  over: number;
  under: number;
}

function newEstimates(): Estimates {
  return { reserved: 0, over: 0, under: 0 };
}

function estimate(estimates: Estimates, reserved: number, used: number): void {
  estimates.reserved += reserved;
  if (reserved > used) estimates.over += reserved - used;
  else estimates.under += used - reserved;
}

type Refusals = Map<string, { readonly ownerKind: string; readonly limit: string; count: number }>;

/** A team's keys of one tier. */
interface Group {
  readonly team: string;
  readonly tier: string;
  /** By family, then by kind. */
  readonly traffic: (TrafficTally | undefined)[];
  /** By owner kind and limit. */
  readonly refusals: Refusals;
  readonly shadowRefusals: Refusals;
}

/**
 * All that is counted for each request: plain numbers, made once for each set of labels. `add` builds no label and no object, so
 * that it costs next to nothing; Prometheus' side of it is made when somebody looks.
 */
export class RequestTallies {
  readonly #groups = new Map<string, Map<string, Group>>();
  readonly #calls: (CallTally | undefined)[] = [];
  /** By code; all of them from the beginning, so that Prometheus sees the first of each come. */
  readonly errors = new Map<string, number>(Object.keys(ERROR_KINDS).map((code) => [code, 0]));
  readonly upstreams = new UpstreamTallies();
  readonly limiterDuration = new HistogramTally(METRICS.limiterDuration.buckets);
  readonly settlement = new HistogramTally(METRICS.settlement.buckets);
  readonly waited = new HistogramTally(METRICS.waited.buckets);
  /** By the buckets' keeper, and by this instance alone. */
  readonly decisions = { admitted: 0, denied: 0, admittedAlone: 0, deniedAlone: 0, unavailable: 0 };
  bytesIn = 0;
  bytesOut = 0;

  add(request: EndedRequest): void {
    const kind = request.kind ?? 'other';
    const kindPlace = PLACE_OF_KIND.get(kind) ?? PLACE_OF_OTHER;
    const family = modelFamily(request.model);
    const place = family * KINDS.length + kindPlace;
    const group = this.#groupOf(request.team ?? NONE, request.tier ?? NONE);
    let traffic = group.traffic[place];
    if (traffic === undefined) {
      traffic = new TrafficTally(group.team, group.tier, MODEL_FAMILIES[family] ?? NONE, kind);
      group.traffic[place] = traffic;
    }
    bump(traffic.requests, OUTCOME_OF[request.message] * STATUSES.length + statusClass(request.status), 1);
    if (request.usage) addTokens(traffic, request.usage);
    if (request.costUsd !== undefined) traffic.costUsd += Number(request.costUsd);
    if (request.shadow !== undefined)
      for (const name of request.shadow.split(' ')) refused(group.shadowRefusals, name);
    this.#addDecision(request, group);
    if (request.errorCode !== undefined)
      this.errors.set(request.errorCode, (this.errors.get(request.errorCode) ?? 0) + 1);
    if (request.sent || RESULT_OF_ERROR.has(request.errorCode ?? ''))
      this.#addCall(request, this.#callOf(place, traffic), place);
    if (request.givenUp) this.upstreams.giveUp(request.givenUp);
    this.settlement.observeMs(request.settlementMs);
    this.waited.observeMs(request.waitedMs);
    this.bytesIn += request.bytesIn;
    this.bytesOut += request.bytesOut;
  }

  *groups(): Iterable<Group> {
    for (const tiers of this.#groups.values()) yield* tiers.values();
  }

  *traffic(): Iterable<TrafficTally> {
    for (const { traffic } of this.groups()) for (const tally of traffic) if (tally) yield tally;
  }

  *calls(): Iterable<CallTally> {
    for (const tally of this.#calls) if (tally) yield tally;
  }

  #addDecision(request: EndedRequest, group: Group): void {
    const { decisions } = this;
    const isAlone = request.degraded === true;
    if (request.errorCode === 'limiter_unavailable') decisions.unavailable += 1;
    else if (request.limiterMs !== undefined) {
      if (request.decision === 'denied') decisions[isAlone ? 'deniedAlone' : 'denied'] += 1;
      else decisions[isAlone ? 'admittedAlone' : 'admitted'] += 1;
    }
    this.limiterDuration.observeMs(request.limiterMs);
    if (request.limit !== undefined) refused(group.refusals, request.limit);
  }

  #addCall(request: EndedRequest, call: CallTally, place: number): void {
    const { upstreamStartMs, firstByteMs, firstChunkMs, durationMs, estimate: reserved, usage } = request;
    const result = resultOf(request);
    const upstream = this.upstreams.of(request.upstream);
    upstream.add(place, call, result);
    if (upstreamStartMs !== undefined) {
      if (firstByteMs !== undefined)
        upstream.firstByte[place % KINDS.length]?.observeMs(firstByteMs - upstreamStartMs);
      if (firstChunkMs !== undefined) call.firstChunk.observeMs(firstChunkMs - upstreamStartMs);
      if (call.kind !== 'other') durationOf(call, result).observeMs(durationMs - upstreamStartMs);
    }
    if (!usage || usage.source === 'none') return;
    if (call.kind !== 'other') {
      call.inputTokens.observe(usage.inputTokens);
      call.outputTokens.observe(usage.outputTokens);
    }
    if (!reserved || usage.source === 'estimated' || request.message !== 'request completed') return;
    estimate(call.estimates.input, reserved.inputTokens, usage.inputTokens);
    estimate(call.estimates.output, reserved.outputTokens, usage.outputTokens);
  }

  #groupOf(team: string, tier: string): Group {
    let tiers = this.#groups.get(team);
    if (tiers === undefined) {
      tiers = new Map();
      this.#groups.set(team, tiers);
    }
    let group = tiers.get(tier);
    if (group === undefined) {
      group = { team, tier, traffic: [], refusals: new Map(), shadowRefusals: new Map() };
      tiers.set(tier, group);
    }
    return group;
  }

  #callOf(place: number, { family, kind }: TrafficTally): CallTally {
    const known = this.#calls[place];
    if (known !== undefined) return known;
    const made = new CallTally(family, kind);
    this.#calls[place] = made;
    return made;
  }
}

function addTokens({ tokens }: TrafficTally, usage: Usage): void {
  const source = SOURCE_OF[usage.source];
  if (source < 0) return;
  const { inputParts } = usage;
  const places = SOURCES.length;
  bump(tokens, source, usage.inputTokens);
  bump(tokens, places + source, usage.cachedInputTokens);
  if (inputParts) bump(tokens, 2 * places + source, inputParts.cacheWriteTokens);
  bump(tokens, 3 * places + source, usage.outputTokens);
  bump(tokens, 4 * places + source, usage.reasoningTokens);
}

function refused(refusals: Refusals, fullName: string): void {
  const { ownerKind, limit } = limitLabels(fullName);
  const name = `${ownerKind} ${limit}`;
  const known = refusals.get(name);
  if (known) known.count += 1;
  else refusals.set(name, { ownerKind, limit, count: 1 });
}

/** The first result that is an error; those below it share one histogram. */
const FIRST_ERROR = STATUSES.indexOf('4xx');

function durationOf(call: CallTally, result: number): HistogramTally {
  const place = result < FIRST_ERROR ? 0 : result;
  const known = call.durations.get(place);
  if (known !== undefined) return known;
  const made = new HistogramTally(METRICS.operationDuration.buckets);
  call.durations.set(place, made);
  return made;
}
