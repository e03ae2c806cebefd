import { once } from 'node:events';
import { createServer } from 'node:http';
import { freePort, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type RunningGateway, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

const ADMIN = 'admin: { listen: 127.0.0.1:0 }\n';

/** The page as Prometheus gets it. */
async function page(running: RunningGateway): Promise<string> {
  const answer = await fetch(`${running.gateway.adminUrl}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return answer.text();
}

/** The page, once it has all these lines. */
function pageWith(running: RunningGateway, ...lines: readonly string[]): Promise<string> {
  return until(
    async () => {
      const text = await page(running);
      const missing = lines.filter((line) => !text.split('\n').includes(line));
      if (missing.length > 0) throw new Error(`missing: ${missing.join('\n')}\nin ${text}`);
      return text;
    },
    { withinMs: 15_000, everyMs: 20 },
  );
}

const GROUPS = `${ADMIN}tiers: { pro: { requests_per_minute: 100 } }
teams: { search: { limits: { requests_per_day: 3, model_tokens_per_minute: 100000 } } }
keys: [{ id: search-prod, key: sk-test-key, team: search, tier: pro }]
`;
const CHAT = 'team="search",tier="pro",model_family="gpt-4o-mini",kind="chat"';

describe('GET /metrics', () => {
  it('tells of requests that were answered, streamed and refused, by team and tier', async () => {
    const running = await startWithSimulator(GROUPS);
    await (await running.chat()).text();
    await (await running.chat({ stream: true })).text();
    await (await running.chat()).text();
    expect((await running.chat()).status).toBe(429);
    const owner = 'owner_kind="team",owner="team:search",limit="requests_per_day",period="day"';
    const text = await pageWith(
      running,
      `nexus_requests_total{${CHAT},outcome="completed",status="2xx"} 3`,
      `nexus_requests_total{${CHAT},outcome="denied",status="4xx"} 1`,
      'nexus_refusals_total{team="search",tier="pro",owner_kind="team",limit="requests_per_day"} 1',
      'nexus_upstream_requests_total{upstream="default",model_family="gpt-4o-mini",kind="chat",result="2xx"} 3',
      'nexus_upstream_first_byte_seconds_count{upstream="default",kind="chat"} 3',
      'nexus_limiter_decisions_total{decision="admitted",decided_by="memory"} 3',
      'nexus_limiter_decisions_total{decision="denied",decided_by="memory"} 1',
      'nexus_settlement_seconds_count 3',
      'nexus_requests_under_way 0',
      'nexus_reservations_open 0',
      `nexus_limit_units{${owner}} 3`,
      `nexus_limit_used_units{${owner}} 3`,
    );
    const operation =
      '{gen_ai_operation_name="chat",gen_ai_provider_name="openai",model_family="gpt-4o-mini"}';
    expect(text).toContain(`\ngen_ai_client_operation_duration_seconds_count${operation} 3\n`);
    expect(text).toContain(`\ngen_ai_client_operation_time_to_first_chunk_seconds_count${operation} 1\n`);
    expect(text).toMatch(/\nnexus_tokens_total\{.*type="output",source="reported"\} [1-9]/);
    expect(text).not.toMatch(/owner="key:|search-prod|sk-test/);
  });

  it('tells of what is under way: a stream, a WebSocket, what they hold', async () => {
    const running = await startWithSimulator(GROUPS, { tokensPerSecond: 1 });
    const leave = new AbortController();
    onTestFinished(() => leave.abort());
    const stream = await fetch(`${running.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-test-key', 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'gpt-4o-mini',
        stream: true,
        messages: [{ role: 'user', content: 'Hi' }],
      }),
      signal: leave.signal,
    });
    expect(stream.status).toBe(200);
    await pageWith(
      running,
      'nexus_streams_open{type="sse"} 1',
      'nexus_requests_under_way 1',
      'nexus_reservations_open 1',
    );
    leave.abort();
    await pageWith(
      running,
      'nexus_streams_open{type="sse"} 0',
      `nexus_requests_total{${CHAT},outcome="left",status="2xx"} 1`,
      'nexus_upstream_requests_total{upstream="default",model_family="gpt-4o-mini",kind="chat",result="abandoned"} 1',
      'nexus_reservations_open 0',
    );
  });

  it('counts WebSockets', async () => {
    const upstream = createServer();
    new WebSocketServer({ server: upstream }).on('connection', () => {});
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    onTestFinished(() => {
      upstream.closeAllConnections();
      upstream.close();
    });
    const address = upstream.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const running = await startInFrontOf(`http://127.0.0.1:${address.port}`, GROUPS);
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}/v1/realtime`, {
      headers: { authorization: 'Bearer sk-test-key' },
    });
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    await pageWith(running, 'nexus_streams_open{type="websocket"} 1', 'nexus_streams_open{type="sse"} 0');
    socket.terminate();
    await pageWith(
      running,
      'nexus_streams_open{type="websocket"} 0',
      'nexus_requests_total{team="search",tier="pro",model_family="none",kind="other",outcome="completed",status="1xx"} 1',
    );
  });

  it('tells of callers without a known key, and grows with nothing that they send', async () => {
    const running = await startWithSimulator(GROUPS);
    for (let index = 0; index < 30; index++)
      await (
        await running.chat({ model: `made-up-${index}` }, { authorization: `Bearer sk-${index}` })
      ).text();
    const text = await pageWith(
      running,
      'nexus_requests_total{team="none",tier="none",model_family="none",kind="chat",outcome="failed",status="4xx"} 30',
      'nexus_errors_total{code="invalid_api_key"} 30',
    );
    expect(text).not.toContain('made-up');
  });

  it('tells of an upstream that cannot be reached', async () => {
    const running = await startInFrontOf(`http://127.0.0.1:${await freePort()}`, GROUPS);
    expect((await running.chat()).status).toBe(502);
    await pageWith(
      running,
      'nexus_upstream_requests_total{upstream="default",model_family="gpt-4o-mini",kind="chat",result="unreachable"} 1',
      'nexus_errors_total{code="upstream_unreachable"} 1',
    );
  });

  it('is not to be had at the address that clients use', async () => {
    const running = await startWithSimulator(GROUPS);
    const answer = await fetch(`${running.url}/metrics`);
    expect(answer.status).toBe(401);
    const asClient = await fetch(`${running.url}/metrics`, {
      headers: { authorization: 'Bearer sk-test-key' },
    });
    expect(await asClient.text()).not.toContain('nexus_');
  });

  it.skipIf(noRedis)('tells who decides while Redis is there, and when it is gone', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.client.disconnect());
    const running = await startWithSimulator(
      `${GROUPS}redis_url: ${redis.url}\non_redis_failure: { budgets: open }\n`,
    );
    await (await running.chat()).text();
    await pageWith(
      running,
      'nexus_limiter_degraded 0',
      'nexus_limiter_instances 1',
      'nexus_limiter_decides{limits="rates",by="redis"} 1',
      'nexus_limiter_decisions_total{decision="admitted",decided_by="redis"} 1',
      'nexus_limit_used_units{owner_kind="team",owner="team:search",limit="requests_per_day",period="day"} 1',
      'nexus_settlements_queued 0',
      'nexus_settlement_seconds_count 1',
    );
    await redis.process.stop('SIGKILL');
    const text = await until(
      async () => {
        await (await running.chat()).text();
        const shown = await page(running);
        return shown.includes('\nnexus_limiter_degraded 1\n') && shown;
      },
      { withinMs: 20_000, everyMs: 20 },
    );
    expect(text).toContain('\nnexus_limiter_decides{limits="rates",by="redis"} 0\n');
    expect(text).toContain('\nnexus_limiter_decides{limits="rates",by="local"} 1\n');
    expect(text).toContain('\nnexus_limiter_decides{limits="budgets",by="open"} 1\n');
    expect(text).toMatch(/\nnexus_limiter_decisions_total\{decision="admitted",decided_by="alone"\} [1-9]/);
  });
});
