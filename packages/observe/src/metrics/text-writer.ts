import { setImmediate as turn } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { METRICS, type MetricDefinition } from './definitions.ts';
import type { EventLoopDelay } from './event-loop-delay.ts';
import { type Distribution, offer, offerHistogram, type Sample } from './exposition.ts';
import {
  KINDS,
  NONE,
  OPERATIONS,
  OUTCOMES,
  RESULTS,
  SOURCES,
  STATUSES,
  TOKEN_TYPES,
} from './label-values.ts';
import type { LimitFill } from './limit-fill.ts';
import type { Decider, PresentState } from './metrics.ts';
import { processMetrics } from './process-metrics.ts';
import type { CallTally, RequestTallies } from './request-tallies.ts';

/** What there is to tell. */
interface Told {
  readonly version: string;
  readonly present: () => PresentState;
  readonly tallies: RequestTallies;
  readonly loop: EventLoopDelay;
  readonly fills: () => Iterable<LimitFill>;
}

/** Deciders in the order in which they are told. */
const DECIDERS: readonly Decider[] = ['memory', 'redis', 'local', 'closed', 'open'];

/** What writes the text of all metrics, each time as they are then. */
export function textWriter({ version, present, tallies, loop, fills }: Told): () => Promise<string> {
  const registry = new Registry();
  let seen: PresentState | undefined;
  const state = () => (seen ??= present());
  offerRequests(registry, tallies);
  offerCalls(registry, tallies);
  offerPresent(registry, state);
  offerLimits(registry, tallies, state, fills);
  offerHistogram(registry, METRICS.loopDelay, () => [[loop.tally]]);
  offer(registry, METRICS.info, () => [[1, version]]);
  return async () => {
    seen = present();
    return (await inTurns(registry)) + (await inTurns(processMetrics()));
  };
}

/** A registry's text. Between two metrics others have their turn: with many teams the whole takes milliseconds. */
async function inTurns(registry: Registry): Promise<string> {
  let text = '';
  for (const { name } of registry.getMetricsAsArray()) {
    text += `${await registry.getSingleMetricAsString(name)}\n`;
    await turn();
  }
  return text;
}

function offerRequests(registry: Registry, tallies: RequestTallies): void {
  offer(registry, METRICS.requests, function* () {
    for (const { team, tier, family, kind, requests } of tallies.traffic())
      for (const [place, count] of requests.entries())
        if (count > 0) {
          const outcome = OUTCOMES[Math.floor(place / STATUSES.length)];
          yield [count, team, tier, family, kind, outcome, STATUSES[place % STATUSES.length]];
        }
  });
  offer(registry, METRICS.tokens, function* () {
    for (const { team, tier, family, tokens } of byTeamAndFamily(tallies))
      for (const [place, count] of tokens.entries())
        if (count > 0) {
          const type = TOKEN_TYPES[Math.floor(place / SOURCES.length)];
          yield [count, team, tier, family, type, SOURCES[place % SOURCES.length]];
        }
  });
  offer(registry, METRICS.refusals, function* () {
    for (const { team, tier, refusals } of tallies.groups())
      for (const { ownerKind, limit, count } of refusals.values())
        yield [count, team, tier, ownerKind, limit];
  });
  offer(registry, METRICS.shadowRefusals, function* () {
    for (const { team, tier, shadowRefusals } of tallies.groups())
      for (const { ownerKind, limit, count } of shadowRefusals.values())
        yield [count, team, tier, ownerKind, limit];
  });
  offer(registry, METRICS.cost, function* () {
    for (const { team, tier, family, costUsd } of byTeamAndFamily(tallies))
      if (costUsd > 0) yield [costUsd, team, tier, family];
  });
  offer(registry, METRICS.errors, () => [...tallies.errors].map(([code, count]): Sample => [count, code]));
  offer(registry, METRICS.bytesIn, () => [[tallies.bytesIn]]);
  offer(registry, METRICS.bytesOut, () => [[tallies.bytesOut]]);
  offerHistogram(registry, METRICS.waited, () => [[tallies.waited]]);
}

/** Tokens and money by team, tier and family: a family's kinds of calls together. */
function byTeamAndFamily(tallies: RequestTallies) {
  const sums = new Map<
    string,
    { team: string; tier: string; family: string; tokens: Float64Array; costUsd: number }
  >();
  for (const { team, tier, family, tokens, costUsd } of tallies.traffic()) {
    const name = JSON.stringify([team, tier, family]);
    const known = sums.get(name);
    if (known) {
      known.costUsd += costUsd;
      for (const [place, count] of tokens.entries()) known.tokens[place] = (known.tokens[place] ?? 0) + count;
    } else sums.set(name, { team, tier, family, tokens: tokens.slice(), costUsd });
  }
  return sums.values();
}

function offerCalls(registry: Registry, tallies: RequestTallies): void {
  offer(registry, METRICS.upstreamRequests, function* () {
    for (const { name, results } of tallies.upstreams.all())
      for (const { family, kind, counts } of results.filter((one) => one !== undefined))
        for (const [place, count] of counts.entries())
          if (count > 0) yield [count, name, family, kind, RESULTS[place]];
  });
  offer(registry, METRICS.upstreamGivenUp, function* () {
    for (const { name, givenUp } of tallies.upstreams.all())
      for (const [place, count] of givenUp.entries()) if (count > 0) yield [count, name, RESULTS[place]];
  });
  offerHistogram(registry, METRICS.upstreamFirstByte, function* () {
    for (const { name, firstByte } of tallies.upstreams.all())
      for (const [place, tally] of firstByte.entries())
        if (tally.counts.some((count) => count > 0)) yield [tally, name, KINDS[place]];
  });
  offerHistogram(registry, METRICS.tokenUsage, () =>
    operations(tallies, ({ inputTokens, outputTokens }) => [
      [inputTokens, 'input'],
      [outputTokens, 'output'],
    ]),
  );
  offerHistogram(registry, METRICS.operationDuration, () =>
    operations(tallies, ({ durations }) =>
      [...durations].map(([result, tally]) => [tally, result === 0 ? undefined : RESULTS[result]]),
    ),
  );
  offerHistogram(registry, METRICS.firstChunk, () => operations(tallies, ({ firstChunk }) => [[firstChunk]]));
  const estimates: readonly [MetricDefinition, 'reserved' | 'over' | 'under'][] = [
    [METRICS.reserved, 'reserved'],
    [METRICS.overestimated, 'over'],
    [METRICS.underestimated, 'under'],
  ];
  for (const [definition, which] of estimates) {
    offer(registry, definition, () => {
      const sums = new Map<string, { input: number; output: number }>();
      for (const { family, estimates: of } of tallies.calls()) {
        const before = sums.get(family) ?? { input: 0, output: 0 };
        sums.set(family, { input: before.input + of.input[which], output: before.output + of.output[which] });
      }
      return [...sums].flatMap(([family, { input, output }]): Sample[] => [
        [input, family, 'input'],
        [output, family, 'output'],
      ]);
    });
  }
}

/** The distributions of metered calls, by OpenTelemetry's labels. Kinds that are one operation there are added up. */
function operations(
  tallies: RequestTallies,
  read: (call: CallTally) => readonly Distribution[],
): Iterable<Distribution> {
  const sums = new Map<string, Distribution>();
  for (const call of tallies.calls()) {
    const known = OPERATIONS[call.kind];
    if (known === undefined) continue;
    for (const [tally, ...more] of read(call)) {
      if (!tally.counts.some((count) => count > 0)) continue;
      const labels = [known.operation, known.provider, call.family, ...more];
      const name = JSON.stringify(labels);
      const before = sums.get(name);
      sums.set(name, [before ? before[0].plus(tally) : tally, ...labels]);
    }
  }
  return sums.values();
}

function offerPresent(registry: Registry, present: () => PresentState): void {
  offer(registry, METRICS.underWay, () => [[present().underWay]]);
  offer(registry, METRICS.waiting, () => [[present().waiting]]);
  offer(registry, METRICS.streams, () => {
    const { sseStreams, webSockets } = present();
    return [
      [sseStreams, 'sse'],
      [webSockets, 'websocket'],
    ];
  });
  offer(registry, METRICS.draining, () => [[present().draining ? 1 : 0]]);
}

function offerLimits(
  registry: Registry,
  tallies: RequestTallies,
  present: () => PresentState,
  fills: () => Iterable<LimitFill>,
): void {
  offer(registry, METRICS.limitSize, function* () {
    for (const { ownerKind, owner, limit, period, size } of fills())
      yield [size, ownerKind, owner, limit, period];
  });
  offer(registry, METRICS.limitUsed, function* () {
    for (const { ownerKind, owner, limit, period, used } of fills())
      yield [used, ownerKind, owner, limit, period];
  });
  offer(registry, METRICS.decisions, () => {
    const { keeper } = present().limiter;
    const { admitted, denied, admittedAlone, deniedAlone, unavailable } = tallies.decisions;
    return [
      [admitted, 'admitted', keeper],
      [denied, 'denied', keeper],
      [admittedAlone, 'admitted', 'alone'],
      [deniedAlone, 'denied', 'alone'],
      [unavailable, 'unavailable', NONE],
    ];
  });
  offer(registry, METRICS.degraded, () => [[present().limiter.degraded ? 1 : 0]]);
  offer(registry, METRICS.decides, function* () {
    const { rates, budgets } = present().limiter.decides;
    for (const by of DECIDERS) {
      yield [by === rates ? 1 : 0, 'rates', by];
      yield [by === budgets ? 1 : 0, 'budgets', by];
    }
  });
  offer(registry, METRICS.instances, () => [[present().limiter.instances]]);
  offer(registry, METRICS.owners, () => [[present().limiter.owners]]);
  offer(registry, METRICS.reservations, () => [[present().limiter.reservations]]);
  offer(registry, METRICS.settlementsQueued, () => [[present().limiter.settlementsQueued]]);
  offer(registry, METRICS.settlementsLost, () => [[present().limiter.settlementsLost]]);
  offer(registry, METRICS.ledgerDegraded, () => [[present().ledger?.degraded ? 1 : 0]]);
  offer(registry, METRICS.ledgerWaiting, () => [[present().ledger?.waiting ?? 0]]);
  offer(registry, METRICS.ledgerLost, () => [[present().ledger?.lost ?? 0]]);
  offerHistogram(registry, METRICS.limiterDuration, () => [[tallies.limiterDuration]]);
  offerHistogram(registry, METRICS.settlement, () => [[tallies.settlement]]);
}
