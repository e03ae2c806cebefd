import type { BucketView } from '@nexus/domain';
import type { Metrics, PresentState } from '../../src/metrics/metrics.ts';
import type { EndedRequest } from '../../src/metrics/request-tallies.ts';

/** A chat that went well, changed by `change`. */
export function ended(change: Partial<EndedRequest> = {}): EndedRequest {
  return {
    message: 'request completed',
    requestId: 'req_1',
    keyId: 'search-prod',
    team: 'search',
    tier: 'pro',
    method: 'POST',
    path: '/v1/chat/completions',
    model: 'gpt-4o-mini',
    kind: 'chat',
    stream: false,
    status: 200,
    upstreamStatus: 200,
    decision: 'admitted',
    estimate: { inputTokens: 100, outputTokens: 300 },
    usage: {
      inputTokens: 110,
      outputTokens: 120,
      cachedInputTokens: 64,
      reasoningTokens: 20,
      source: 'reported',
    },
    durationMs: 2_000,
    upstreamStartMs: 10,
    firstByteMs: 510,
    firstChunkMs: undefined,
    limiterMs: 0.3,
    settlementMs: 2,
    bytesIn: 1_000,
    bytesOut: 3_000,
    sent: true,
    brokeOff: false,
    buckets: undefined,
    ...change,
  };
}

/** A request that a limit refused. */
export function denied(limit: string, change: Partial<EndedRequest> = {}): EndedRequest {
  return ended({
    message: 'request denied',
    status: 429,
    upstreamStatus: undefined,
    decision: 'denied',
    limit,
    usage: undefined,
    sent: false,
    upstreamStartMs: undefined,
    firstByteMs: undefined,
    settlementMs: undefined,
    ...change,
  });
}

/** A gateway that does nothing. */
export const IDLE: PresentState = {
  underWay: 0,
  waiting: 0,
  sseStreams: 0,
  webSockets: 0,
  draining: false,
  limiter: {
    keeper: 'memory',
    degraded: false,
    decides: { rates: 'memory', budgets: 'memory' },
    instances: 1,
    owners: 0,
    reservations: 0,
    settlementsQueued: 0,
    settlementsLost: 0,
  },
};

/** A bucket's state as a decision shows it. */
export function view(change: Partial<BucketView> & Pick<BucketView, 'owner'>): BucketView {
  return {
    limit: {
      kind: 'calendar',
      name: 'model_tokens_per_day',
      counts: 'model_tokens',
      period: 'day',
      amount: 1_000,
      timeZone: 'UTC',
    },
    size: 1_000,
    available: 400,
    untilFullMs: 10_000,
    ...change,
  };
}

/** The series of the text that begin so, as `name{labels}` → value. */
export async function series(metrics: Metrics, start: string): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith(start));
  return Object.fromEntries(
    lines.map((line) => {
      const blank = line.lastIndexOf(' ');
      return [line.slice(0, blank), Number(line.slice(blank + 1))];
    }),
  );
}
