import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from './running-gateway.ts';

const LISTED = `
keys:
  - { id: small, key: sk-small, limits: { requests_per_second: 1, burst: 1 } }
  - { id: tokens, key: sk-tokens, limits: { requests_per_second: unlimited, model_tokens_per_minute: 300 } }
  - { id: one-slot, key: sk-slot, limits: { requests_per_second: unlimited, concurrent_requests: 1 } }
  - { id: daily, key: sk-daily, limits: { requests_per_second: unlimited, requests_per_day: 1 } }
  - { id: closed, key: sk-closed, limits: { requests_per_second: 0 } }
  - { id: sizes, key: sk-sizes, limits: { requests_per_second: unlimited, max_output_tokens: 50, max_request_tokens: 60 } }
`;

const as = (key: string) => ({ authorization: `Bearer ${key}` });

async function errorOf(answer: Response): Promise<{ message: string; type: string; code: string }> {
  const body: { error: { message: string; type: string; code: string } } = JSON.parse(await answer.text());
  return body.error;
}

describe('a key over its limits', () => {
  it('gets its burst, all of it, and a 429 for the rest', async () => {
    const running = await startWithSimulator('limits: { requests_per_minute: 20 }');
    const answers = await Promise.all(Array.from({ length: 30 }, () => running.chat()));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
    expect(running.simulator.hits()).toBe(20);
  });

  it('is told the exact wait: refused just before it is over, admitted after', async () => {
    const running = await startWithSimulator(LISTED);
    expect((await running.chat({}, as('sk-small'))).status).toBe(200);
    const refused = await running.chat({}, as('sk-small'));
    const since = performance.now();
    expect(refused.status).toBe(429);
    const waitMs = Number(refused.headers.get('retry-after-ms'));
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(1020);
    expect(refused.headers.get('retry-after')).toBe(String(Math.ceil(waitMs / 1000)));
    await new Promise((resolve) => setTimeout(resolve, waitMs / 2));
    expect((await running.chat({}, as('sk-small'))).status).toBe(429);
    await new Promise((resolve) => setTimeout(resolve, waitMs - (performance.now() - since) + 5));
    expect((await running.chat({}, as('sk-small'))).status).toBe(200);
  });

  it("reads what OpenAI's clients expect: body, type, code, limit, whose", async () => {
    const running = await startWithSimulator(LISTED);
    await running.chat({}, as('sk-small'));
    const refused = await running.chat({}, as('sk-small'));
    expect(refused.headers.get('content-type')).toBe('application/json');
    expect(refused.headers.get('x-nexus-limit')).toBe('key:small/requests_per_second');
    expect(refused.headers.get('x-nexus-source')).toBe('nexus');
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(refused.headers.get('x-request-id')).toBe(refused.headers.get('request-id'));
    const error = await errorOf(refused);
    expect(error).toMatchObject({ type: 'requests', param: null, code: 'rate_limit_exceeded' });
    expect(error.message).toMatch(
      /^Rate limit reached for gpt-4o-mini in key:small on requests per sec \(RPS\): Limit 1, Used 1, Requested 1\. Please try again in \d+ms\. Limit: key:small\/requests_per_second\.$/,
    );
  });

  it("reads Anthropic's shape on Anthropic's paths", async () => {
    const running = await startWithSimulator(LISTED);
    const ask = () =>
      fetch(`${running.url}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': 'sk-small', 'anthropic-version': '2023-06-01' },
        body: '{"model":"claude-sonnet-4-5","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}',
      });
    const first = await ask();
    expect(first.status).toBe(200);
    expect(first.headers.get('anthropic-ratelimit-requests-limit')).toBe('1');
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(JSON.parse(await refused.text())).toMatchObject({
      type: 'error',
      error: {
        type: 'rate_limit_error',
        message: expect.stringContaining('Rate limit reached for claude-sonnet-4-5'),
      },
      request_id: refused.headers.get('request-id'),
    });
  });

  it('pays for the tokens that an answer really used, and no more', async () => {
    const running = await startWithSimulator(LISTED);
    const answer = await running.chat({ max_tokens: 100 }, as('sk-tokens'));
    const { usage }: { usage: { total_tokens: number } } = JSON.parse(await answer.text());
    await requestLines(running, 1);
    const own = await fetch(`${running.url}/nexus/limits`, { headers: as('sk-tokens') });
    const { buckets }: { buckets: { limit: string; available: number }[] } = JSON.parse(await own.text());
    const bucket = buckets.find(({ limit }) => limit === 'key:tokens/model_tokens_per_minute');
    expect(bucket?.available).toBeGreaterThanOrEqual(300 - usage.total_tokens);
    expect(bucket?.available).toBeLessThanOrEqual(300 - usage.total_tokens + 20);
  });

  it('is told at once that a request can never fit, and not to try again', async () => {
    const running = await startWithSimulator(LISTED);
    const refused = await running.chat(
      { messages: [{ role: 'user', content: 'word '.repeat(400) }] },
      as('sk-tokens'),
    );
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-should-retry')).toBe('false');
    expect(refused.headers.get('retry-after')).toBeNull();
    const error = await errorOf(refused);
    expect(error.message).toMatch(
      /^Request too large for gpt-4o-mini in key:tokens on tokens per min \(TPM\): Limit 300, /,
    );
    expect(running.simulator.hits()).toBe(0);
  });

  it("is told of a day's amount as a quota", async () => {
    const running = await startWithSimulator(LISTED);
    await running.chat({}, as('sk-daily'));
    const refused = await running.chat({}, as('sk-daily'));
    expect(refused.headers.get('x-should-retry')).toBe('false');
    expect(refused.headers.get('retry-after')).toBeNull();
    expect(await errorOf(refused)).toMatchObject({ type: 'insufficient_quota', code: 'insufficient_quota' });
  });

  it('gets nothing at all where a limit is 0', async () => {
    const running = await startWithSimulator(LISTED);
    const refused = await running.chat({}, as('sk-closed'));
    expect(refused.status).toBe(429);
    expect((await errorOf(refused)).message).toContain('lets nothing through');
  });

  it('may not ask for more than one request may be', async () => {
    const running = await startWithSimulator(LISTED);
    const tooMuchOutput = await running.chat({ max_tokens: 1, max_completion_tokens: 51 }, as('sk-sizes'));
    expect(tooMuchOutput.headers.get('x-nexus-limit')).toBe('key:sizes/max_output_tokens');
    const tooMuchInAll = await running.chat({ max_tokens: 50, n: 2 }, as('sk-sizes'));
    expect(tooMuchInAll.status).toBe(429);
    expect((await running.chat({ max_tokens: 20 }, as('sk-sizes'))).status).toBe(200);
    expect(running.simulator.hits()).toBe(1);
  });

  it('has one slot back as soon as its request ends', async () => {
    const running = await startWithSimulator(LISTED);
    const slow = running.chat({}, { ...as('sk-slot'), 'x-simulate-latency-ms': '150' });
    await new Promise((resolve) => setTimeout(resolve, 60));
    const refused = await running.chat({}, as('sk-slot'));
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-nexus-limit')).toBe('key:one-slot/concurrent_requests');
    await (await slow).text();
    await requestLines(running, 2);
    expect((await running.chat({}, as('sk-slot'))).status).toBe(200);
  });

  it('can retry at once after a failure that was not its own: the request comes back', async () => {
    const running = await startWithSimulator('limits: { requests_per_hour: 1 }');
    running.simulator.faults.next('error-500');
    expect((await running.chat()).status).toBe(500);
    await requestLines(running, 1);
    expect((await running.chat()).status).toBe(200);
    expect((await running.chat()).status).toBe(429);
  });

  it('still meets its request limit when its requests are bad', async () => {
    const running = await startWithSimulator('limits: { requests_per_hour: 2 }');
    const bad = () => running.chat({ messages: 'no list' });
    expect((await bad()).status).toBe(400);
    expect((await bad()).status).toBe(400);
    expect((await bad()).status).toBe(429);
  });
});

describe('limits of others than the key', () => {
  it('hold over all keys together: of the gateway and of a model, all or none', async () => {
    const running = await startWithSimulator(`
gateway: { limits: { requests_per_hour: 3 } }
models: { "gpt-4o*": { limits: { requests_per_hour: 1 } } }
`);
    expect((await running.chat({}, as('sk-a'))).status).toBe(200);
    const model = await running.chat({}, as('sk-b'));
    expect(model.headers.get('x-nexus-limit')).toBe('model:gpt-4o*/requests_per_hour');
    // The refused request took nothing from the gateway's limit: two are left.
    expect((await running.chat({ model: 'other' }, as('sk-c'))).status).toBe(200);
    expect((await running.chat({ model: 'other' }, as('sk-d'))).status).toBe(200);
    const gateway = await running.chat({ model: 'other' }, as('sk-e'));
    expect(gateway.headers.get('x-nexus-limit')).toBe('gateway/requests_per_hour');
  });

  it('count what passes unread too: no path is unmetered', async () => {
    const running = await startWithSimulator('limits: { requests_per_hour: 3 }');
    const get = (path: string) => fetch(`${running.url}${path}`, { headers: as('sk-a') });
    expect((await get('/v1/models')).status).toBe(200);
    expect((await get('/v1/unknown/path')).status).toBe(404);
    expect((await get('/')).status).toBe(404);
    expect((await get('/v1/models')).status).toBe(429);
  });
});

describe('GET /nexus/limits', () => {
  it("shows a key its own buckets, takes nothing, and doesn't answer an unknown key", async () => {
    const running = await startWithSimulator(LISTED);
    const ask = (key: string) => fetch(`${running.url}/nexus/limits`, { headers: as(key) });
    for (let i = 0; i < 3; i += 1) {
      expect(JSON.parse(await (await ask('sk-small')).text())).toEqual({
        key: 'small',
        buckets: [
          {
            limit: 'key:small/requests_per_second',
            kind: 'rate',
            counts: 'requests',
            amount: 1,
            period_ms: 1000,
            size: 1,
            available: 1,
            used: 0,
            full_in_ms: 0,
          },
        ],
        ceilings: [],
      });
    }
    expect((await ask('sk-nobody')).status).toBe(401);
  });

  it('tells how each kind of bucket fills, and of the models only the one that is asked for', async () => {
    const running = await startWithSimulator(`
limits: { requests_per_day: 5, concurrent_requests: 2 }
models: { "gpt-4o*": { limits: { model_tokens_per_minute: 100 } }, "o*": { limits: { requests_per_hour: 1 } } }
`);
    const ask = async (query: string) => {
      const answer = await fetch(`${running.url}/nexus/limits${query}`, { headers: as('sk-a') });
      const { buckets }: { buckets: { limit: string }[] } = JSON.parse(await answer.text());
      return buckets.map(({ limit, ...rest }) => ({ ...rest, limit: limit.replace(/^key:[^/]+/, 'key') }));
    };
    const own = [
      { limit: 'key/requests_per_day', kind: 'calendar', counts: 'requests', amount: 5, period: 'day' },
      { limit: 'key/concurrent_requests', kind: 'concurrency', size: 2 },
    ];
    const model = { limit: 'model:gpt-4o*/model_tokens_per_minute', amount: 100, period_ms: 60_000 };
    expect(await ask('')).toMatchObject(own);
    expect(await ask('?model=gpt-4o-mini')).toMatchObject([...own, model]);
    // A name given twice is no name.
    expect(await ask('?model=gpt-4o-mini&model=o1')).toMatchObject(own);
  });
});
