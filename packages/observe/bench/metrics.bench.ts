// What counting a request costs: `node packages/observe/bench/metrics.bench.ts` prints microseconds a request, and milliseconds a scrape.

import type { BucketView } from '@nexus/domain';
import { createMetrics } from '../src/metrics/metrics.ts';
import type { EndedRequest } from '../src/metrics/request-tallies.ts';

const REQUESTS = 200_000;
const TEAMS = 100;
const MODELS = ['gpt-4o-mini', 'gpt-4o', 'gpt-5', 'claude-sonnet-4-5', 'text-embedding-3-small'];

function bucket(owner: string, name: string): BucketView {
  return {
    owner,
    limit: { kind: 'rate', name, counts: 'requests', periodMs: 60_000, amount: 100, burst: 100 },
    size: 100,
    available: 40,
    untilFullMs: 36_000,
  };
}

/** One request of each team and model, admitted or refused. */
const sample: EndedRequest[] = Array.from({ length: TEAMS * MODELS.length }, (_, index) => {
  const team = `team-${index % TEAMS}`;
  const isDenied = index % 10 === 0;
  return {
    message: isDenied ? 'request denied' : 'request completed',
    requestId: `req_${index}`,
    keyId: `key-${index}`,
    team,
    tier: index % 2 === 0 ? 'free' : 'pro',
    method: 'POST',
    path: '/v1/chat/completions',
    model: MODELS[index % MODELS.length],
    kind: 'chat',
    stream: true,
    status: isDenied ? 429 : 200,
    upstreamStatus: isDenied ? undefined : 200,
    decision: isDenied ? 'denied' : 'admitted',
    limit: isDenied ? `team:${team}/model_tokens_per_minute` : undefined,
    estimate: { inputTokens: 812, outputTokens: 256 },
    usage: isDenied
      ? undefined
      : { inputTokens: 812, outputTokens: 143, cachedInputTokens: 0, reasoningTokens: 0, source: 'reported' },
    durationMs: 1_834.123,
    firstByteMs: 312.98,
    firstChunkMs: 320.12,
    upstreamStartMs: 1.1,
    limiterMs: 0.123,
    settlementMs: 0.9,
    bytesIn: 3_211,
    bytesOut: 9_876,
    sent: !isDenied,
    brokeOff: false,
    buckets: [
      bucket(`key:key-${index}`, 'requests_per_minute'),
      bucket(`team:${team}`, 'model_tokens_per_minute'),
      bucket('gateway', 'requests_per_second'),
    ],
  };
});

const metrics = createMetrics({
  version: 'bench',
  nowMs: () => performance.now(),
  present: () => ({
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
  }),
});

const rounds: number[] = [];
for (let round = 0; round < 9; round++) {
  const start = process.hrtime.bigint();
  for (let done = 0; done < REQUESTS; done++) {
    const request = sample[done % sample.length];
    if (request) metrics.request(request);
  }
  rounds.push(Number(process.hrtime.bigint() - start) / REQUESTS / 1_000);
}
const median = rounds.toSorted((a, b) => a - b)[4] ?? 0;
const scrapesMs: number[] = [];
let bytes = 0;
for (let scrape = 0; scrape < 20; scrape++) {
  const start = performance.now();
  bytes = (await metrics.text()).length;
  scrapesMs.push(performance.now() - start);
}
metrics.close();
const [first = 0] = scrapesMs;
const later = scrapesMs.toSorted((a, b) => a - b)[10] ?? 0;
process.stdout.write(
  `a request: ${median.toFixed(2)} µs; a scrape with ${TEAMS} teams, ${(bytes / 1024).toFixed(0)} KB: ${first.toFixed(0)} ms the first, then ${later.toFixed(1)} ms\n`,
);
