import { describe, expect, it, onTestFinished } from 'vitest';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { ended, IDLE, series } from './ended-request.ts';

describe('metrics of upstreams', () => {
  it('tell upstreams apart, and what was given up at one for another', async () => {
    const metrics = createMetrics({ version: '1', present: () => IDLE, nowMs: () => 0 });
    onTestFinished(() => metrics.close());
    metrics.request(ended({ upstream: 'a' }));
    metrics.request(ended({ upstream: 'a', model: 'o3', upstreamStatus: 404, status: 404 }));
    const givenUp = [
      { upstream: 'a', status: 503 },
      { upstream: 'a', status: 429 },
      { upstream: 'b', status: undefined },
    ];
    metrics.request(ended({ upstream: 'c', givenUp, firstByteMs: 260 }));
    metrics.request(ended({ upstream: 'c', givenUp, firstByteMs: undefined, sent: false }));
    expect(await series(metrics, 'nexus_upstream_requests_total')).toEqual({
      'nexus_upstream_requests_total{upstream="a",model_family="gpt-4o-mini",kind="chat",result="2xx"}': 1,
      'nexus_upstream_requests_total{upstream="a",model_family="o",kind="chat",result="4xx"}': 1,
      'nexus_upstream_requests_total{upstream="c",model_family="gpt-4o-mini",kind="chat",result="2xx"}': 1,
    });
    expect(await series(metrics, 'nexus_upstream_given_up_total')).toEqual({
      'nexus_upstream_given_up_total{upstream="a",result="5xx"}': 2,
      'nexus_upstream_given_up_total{upstream="a",result="429"}': 2,
      'nexus_upstream_given_up_total{upstream="b",result="unreachable"}': 2,
    });
    expect(await series(metrics, 'nexus_upstream_first_byte_seconds_sum')).toEqual({
      'nexus_upstream_first_byte_seconds_sum{upstream="a",kind="chat"}': 1,
      'nexus_upstream_first_byte_seconds_sum{upstream="c",kind="chat"}': 0.25,
    });
  });
});
