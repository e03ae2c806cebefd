import { readFileSync } from 'node:fs';
import { ERROR_KINDS } from '@nexus/domain';
import { describe, expect, it, onTestFinished } from 'vitest';
import { METRICS, type MetricDefinition } from '../../src/metrics/definitions.ts';
import { createMetrics, type Metrics, type PresentState } from '../../src/metrics/metrics.ts';
import { EXPLAINED_LABELS, metricsMarkdown } from '../../src/metrics/metrics-page.ts';
import { MODEL_FAMILIES } from '../../src/metrics/model-family.ts';
import { denied, ended, IDLE, series, view } from './ended-request.ts';

function make(present: () => PresentState = () => IDLE, nowMs: () => number = () => 0): Metrics {
  const metrics = createMetrics({ version: '1.2.3', present, nowMs });
  onTestFinished(() => metrics.close());
  return metrics;
}

const DEFINITIONS: readonly MetricDefinition[] = Object.values(METRICS);

describe('docs/metrics.md', () => {
  it('is what the definitions say: else run `node packages/observe/scripts/write-docs.ts`', () => {
    const page = readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8');
    expect(page).toBe(metricsMarkdown());
  });

  it('explains every label', () => {
    for (const { labels } of DEFINITIONS)
      for (const label of labels) expect([...EXPLAINED_LABELS], label).toContain(label);
  });
});

describe('The metrics', () => {
  it('are those of the definitions, with their types, and those of the process', async () => {
    const text = await make().text();
    for (const { name, type } of DEFINITIONS) expect(text).toContain(`\n# TYPE ${name} ${type}\n`);
    const ours = text.match(/^# TYPE (?:nexus|gen_ai)_/gm);
    expect(ours).toHaveLength(DEFINITIONS.length);
    for (const name of [
      'process_cpu_seconds_total',
      'nodejs_heap_size_used_bytes',
      'nodejs_gc_duration_seconds',
    ])
      expect(text).toContain(`# TYPE ${name} `);
    expect(text).not.toContain('nodejs_eventloop_lag');
    expect(text).toContain('nexus_info{version="1.2.3"} 1\n');
  });

  it('count requests by team, tier, family, kind, outcome and status', async () => {
    const metrics = make();
    metrics.request(ended());
    metrics.request(ended());
    metrics.request(ended({ model: undefined, kind: undefined, team: undefined, tier: undefined }));
    metrics.request(ended({ message: 'client left' }));
    metrics.request(ended({ message: 'request failed', status: 502, errorCode: 'upstream_failed' }));
    metrics.request(ended({ kind: undefined, status: 101 }));
    const search = 'nexus_requests_total{team="search",tier="pro",model_family="gpt-4o-mini"';
    expect(await series(metrics, 'nexus_requests_total')).toEqual({
      [`${search},kind="chat",outcome="completed",status="2xx"}`]: 2,
      [`${search},kind="chat",outcome="left",status="2xx"}`]: 1,
      [`${search},kind="chat",outcome="failed",status="5xx"}`]: 1,
      [`${search},kind="other",outcome="completed",status="1xx"}`]: 1,
      'nexus_requests_total{team="none",tier="none",model_family="none",kind="other",outcome="completed",status="2xx"}': 1,
    });
    const errors = await series(metrics, 'nexus_errors_total');
    expect(Object.entries(errors).filter(([, count]) => count > 0)).toEqual([
      ['nexus_errors_total{code="upstream_failed"}', 1],
    ]);
    expect(Object.keys(errors)).toHaveLength(Object.keys(ERROR_KINDS).length);
    expect(await series(metrics, 'nexus_request_bytes_total')).toEqual({ nexus_request_bytes_total: 6_000 });
  });

  it('count what limits that are only tried would have refused, and what calls cost', async () => {
    const metrics = make();
    const shadow = 'team:search/requests_per_day customer:search/acme/usd_per_day';
    for (let count = 0; count < 2; count += 1)
      metrics.request(ended({ shadow, costUsd: '0.25', limit: undefined }));
    const of = 'team="search",tier="pro"';
    expect(await series(metrics, 'nexus_shadow_refusals_total')).toEqual({
      [`nexus_shadow_refusals_total{${of},owner_kind="team",limit="requests_per_day"}`]: 2,
      [`nexus_shadow_refusals_total{${of},owner_kind="customer",limit="usd_per_day"}`]: 2,
    });
    expect(await series(metrics, 'nexus_cost_usd_total')).toEqual({
      [`nexus_cost_usd_total{${of},model_family="gpt-4o-mini"}`]: 0.5,
    });
  });

  it('count refusals by the kind of the owner and the limit, whatever the owner is called', async () => {
    const metrics = make();
    for (const limit of [
      'key:search-prod/requests_per_second',
      'key:another/requests_per_second',
      'feature:search/complete/model_tokens_per_day',
      'team:a/b:c/usd_per_month',
      'gateway/concurrent_requests',
      'model:gpt-4o*/max_request_tokens',
      'customer:search/acme/invented_limit',
      'nonsense',
    ])
      metrics.request(denied(limit, { limiterMs: undefined }));
    const start = 'nexus_refusals_total{team="search",tier="pro",owner_kind=';
    expect(await series(metrics, 'nexus_refusals_total')).toEqual({
      [`${start}"key",limit="requests_per_second"}`]: 2,
      [`${start}"feature",limit="model_tokens_per_day"}`]: 1,
      [`${start}"team",limit="usd_per_month"}`]: 1,
      [`${start}"gateway",limit="concurrent_requests"}`]: 1,
      [`${start}"model",limit="max_request_tokens"}`]: 1,
      [`${start}"customer",limit="other"}`]: 1,
      [`${start}"other",limit="other"}`]: 1,
    });
  });

  it('add up tokens by type and by who knows them, over all kinds of calls', async () => {
    const metrics = make();
    metrics.request(ended());
    metrics.request(ended({ kind: 'response' }));
    const inputParts = {
      cacheWriteTokens: 7,
      cacheWrite1hTokens: 0,
      audioTokens: 0,
      cachedAudioTokens: 0,
      imageTokens: 0,
      cachedImageTokens: 0,
    };
    const usage = {
      inputTokens: 9,
      outputTokens: 1,
      cachedInputTokens: 0,
      reasoningTokens: 0,
      inputParts,
    } as const;
    metrics.request(ended({ usage: { ...usage, source: 'counted' } }));
    metrics.request(ended({ usage: { ...usage, source: 'none' } }));
    const start = 'nexus_tokens_total{team="search",tier="pro",model_family="gpt-4o-mini",type=';
    expect(await series(metrics, 'nexus_tokens_total')).toEqual({
      [`${start}"input",source="reported"}`]: 220,
      [`${start}"cached_input",source="reported"}`]: 128,
      [`${start}"output",source="reported"}`]: 240,
      [`${start}"reasoning_output",source="reported"}`]: 40,
      [`${start}"input",source="counted"}`]: 9,
      [`${start}"cache_write_input",source="counted"}`]: 7,
      [`${start}"output",source="counted"}`]: 1,
    });
    const input =
      'gen_ai_operation_name="chat",gen_ai_provider_name="openai",model_family="gpt-4o-mini",gen_ai_token_type="input"';
    expect(await series(metrics, 'gen_ai_client_token_usage_')).toMatchObject({
      [`gen_ai_client_token_usage_sum{${input}}`]: 229,
      [`gen_ai_client_token_usage_count{${input}}`]: 3,
      [`gen_ai_client_token_usage_bucket{le="16",${input}}`]: 1,
      [`gen_ai_client_token_usage_bucket{le="+Inf",${input}}`]: 3,
    });
  });

  it('tell by how much estimates were too high and too low, where it is known', async () => {
    const metrics = make();
    // 100 and 300 were reserved, 110 and 120 used.
    metrics.request(ended());
    const { usage } = ended();
    if (usage) metrics.request(ended({ usage: { ...usage, source: 'estimated' } }));
    metrics.request(ended({ message: 'client left' }));
    metrics.request(ended({ estimate: undefined }));
    const labels = (type: string) => `{model_family="gpt-4o-mini",type="${type}"}`;
    expect(await series(metrics, 'nexus_reserved_tokens_total')).toEqual({
      [`nexus_reserved_tokens_total${labels('input')}`]: 100,
      [`nexus_reserved_tokens_total${labels('output')}`]: 300,
    });
    expect(await series(metrics, 'nexus_overestimated_tokens_total')).toEqual({
      [`nexus_overestimated_tokens_total${labels('input')}`]: 0,
      [`nexus_overestimated_tokens_total${labels('output')}`]: 180,
    });
    expect(await series(metrics, 'nexus_underestimated_tokens_total')).toEqual({
      [`nexus_underestimated_tokens_total${labels('input')}`]: 10,
      [`nexus_underestimated_tokens_total${labels('output')}`]: 0,
    });
  });

  it('say how requests went upstream, and count no request that never went', async () => {
    const metrics = make();
    metrics.request(ended());
    metrics.request(ended({ upstreamStatus: 429, status: 429 }));
    metrics.request(ended({ upstreamStatus: 500, status: 500 }));
    metrics.request(ended({ brokeOff: true, message: 'request failed' }));
    metrics.request(ended({ upstreamStatus: undefined, message: 'client left' }));
    metrics.request(
      ended({ upstreamStatus: undefined, sent: false, status: 502, errorCode: 'upstream_unreachable' }),
    );
    metrics.request(ended({ upstreamStatus: undefined, status: 504, errorCode: 'upstream_timeout' }));
    metrics.request(denied('gateway/requests_per_second'));
    metrics.request(
      ended({ sent: false, errorCode: 'invalid_body', status: 400, upstreamStatus: undefined }),
    );
    const start =
      'nexus_upstream_requests_total{upstream="default",model_family="gpt-4o-mini",kind="chat",result=';
    expect(await series(metrics, 'nexus_upstream_requests_total')).toEqual(
      Object.fromEntries(
        ['2xx', '429', '5xx', 'broke', 'abandoned', 'unreachable', 'timeout'].map((result) => [
          `${start}"${result}"}`,
          1,
        ]),
      ),
    );
  });

  it('measure the upstream from the moment that a request was sent there', async () => {
    const metrics = make();
    metrics.request(ended({ upstreamStartMs: 100, firstByteMs: 600, firstChunkMs: 850, durationMs: 2_100 }));
    metrics.request(ended({ upstreamStatus: 500, status: 500, durationMs: 1_010, kind: 'message' }));
    const openai = '{gen_ai_operation_name="chat",gen_ai_provider_name="openai",model_family="gpt-4o-mini"}';
    expect(await series(metrics, 'nexus_upstream_first_byte_seconds_sum')).toEqual({
      'nexus_upstream_first_byte_seconds_sum{upstream="default",kind="chat"}': 0.5,
      'nexus_upstream_first_byte_seconds_sum{upstream="default",kind="message"}': 0.5,
    });
    const chunk = 'gen_ai_client_operation_time_to_first_chunk_seconds_sum';
    expect(await series(metrics, chunk)).toEqual({ [`${chunk}${openai}`]: 0.75 });
    const duration = 'gen_ai_client_operation_duration_seconds_sum';
    expect(await series(metrics, duration)).toEqual({
      [`${duration}${openai}`]: 2,
      [`${duration}{gen_ai_operation_name="chat",gen_ai_provider_name="anthropic",model_family="gpt-4o-mini",error_type="5xx"}`]: 1,
    });
  });

  it('tell how the ledger is', async () => {
    const ledger = { degraded: true, waiting: 7, lost: 2 };
    expect(
      await series(
        make(() => ({ ...IDLE, ledger })),
        'nexus_ledger_',
      ),
    ).toEqual({
      nexus_ledger_degraded: 1,
      nexus_ledger_records_waiting: 7,
      nexus_ledger_records_lost_total: 2,
    });
  });

  it('tell who decided, how long it took, and what was lost on the way to Redis', async () => {
    const limiter = {
      ...IDLE.limiter,
      keeper: 'redis',
      degraded: true,
      decides: { rates: 'local', budgets: 'closed' },
      instances: 3,
      reservations: 4,
      settlementsQueued: 5,
      settlementsLost: 6,
    } as const;
    const metrics = make(() => ({ ...IDLE, limiter, draining: true, sseStreams: 2, webSockets: 1 }));
    metrics.request(ended());
    metrics.request(ended({ degraded: true }));
    metrics.request(denied('gateway/requests_per_second', { degraded: true }));
    metrics.request(ended({ decision: 'none', status: 503, errorCode: 'limiter_unavailable', sent: false }));
    metrics.request(denied('gateway/max_request_tokens', { limiterMs: undefined }));
    const start = 'nexus_limiter_decisions_total{decision=';
    expect(await series(metrics, 'nexus_limiter_')).toMatchObject({
      [`${start}"admitted",decided_by="redis"}`]: 1,
      [`${start}"denied",decided_by="redis"}`]: 0,
      [`${start}"admitted",decided_by="alone"}`]: 1,
      [`${start}"denied",decided_by="alone"}`]: 1,
      [`${start}"unavailable",decided_by="none"}`]: 1,
      nexus_limiter_duration_seconds_count: 4,
      nexus_limiter_degraded: 1,
      nexus_limiter_instances: 3,
      'nexus_limiter_decides{limits="rates",by="local"}': 1,
      'nexus_limiter_decides{limits="rates",by="redis"}': 0,
      'nexus_limiter_decides{limits="budgets",by="closed"}': 1,
    });
    expect(await series(metrics, 'nexus_settlements')).toEqual({
      nexus_settlements_queued: 5,
      nexus_settlements_lost_total: 6,
    });
    expect(await series(metrics, 'nexus_settlement_seconds_count')).toEqual({
      nexus_settlement_seconds_count: 3,
    });
    expect(await series(metrics, 'nexus_reservations')).toEqual({ nexus_reservations_open: 4 });
    expect(await series(metrics, 'nexus_draining')).toEqual({ nexus_draining: 1 });
    expect(await series(metrics, 'nexus_streams_open')).toEqual({
      'nexus_streams_open{type="sse"}': 2,
      'nexus_streams_open{type="websocket"}': 1,
    });
  });

  it('show how full the limits are that decisions showed, as of now', async () => {
    let now = 0;
    const metrics = make(
      () => IDLE,
      () => now,
    );
    metrics.request(ended({ buckets: [view({ owner: 'team:search' }), view({ owner: 'key:search-prod' })] }));
    const labels = '{owner_kind="team",owner="team:search",limit="model_tokens_per_day",period="day"}';
    expect(await series(metrics, 'nexus_limit_u')).toEqual({
      [`nexus_limit_units${labels}`]: 1_000,
      [`nexus_limit_used_units${labels}`]: 600,
    });
    now = 10_000;
    expect(await series(metrics, 'nexus_limit_used')).toEqual({ [`nexus_limit_used_units${labels}`]: 0 });
  });

  it('write a name with quotes and lines so that Prometheus reads it', async () => {
    const metrics = make();
    metrics.request(ended({ buckets: [view({ owner: 'model:a"b\\c\nd' })] }));
    expect(await metrics.text()).toContain('owner="model:a\\"b\\\\c\\nd"');
  });

  it('grow with nothing that clients send', async () => {
    const metrics = make();
    const send = (index: number) => {
      const name = `invented-${index}`;
      metrics.request(
        ended({ model: name, keyId: name, path: `/${name}`, requestId: name, customer: name, feature: name }),
      );
      metrics.request(denied(`customer:search/${name}/requests_per_second`, { model: name }));
    };
    send(0);
    const before = (await metrics.text())
      .split('\n')
      .filter((line) => /^(?:nexus|gen_ai)_/.test(line)).length;
    for (let index = 1; index < 2_000; index++) send(index);
    const text = await metrics.text();
    expect(text.split('\n').filter((line) => /^(?:nexus|gen_ai)_/.test(line))).toHaveLength(before);
    expect(text).not.toContain('invented');
    expect(MODEL_FAMILIES.length).toBeLessThan(40);
  });
});
