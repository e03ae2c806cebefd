import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, errorIn, nothingOpen, rawChat, rawGet, rawPost, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, requests_per_minute: 100, model_tokens_per_minute: 100000 }`;
const KEY = { authorization: 'Bearer sk-test-key' };
const OURS = `${ADMIN}keys: [{ id: app, key: client-key-123456, upstream_key: sk-upstream-secret-123456 }]`;
const COUNTING = '{"input":"x"}';

describe("An upstream's own error", () => {
  it.each([
    ['error-429', 429],
    ['error-429-quota', 429],
    ['error-500', 500],
    ['error-503', 503],
    ['error-529', 529],
  ] as const)('passes as it came and gives everything back: %s', async (fault, status) => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.always(fault);
    const direct = await fetch(`${running.simulator.url}/v1/chat/completions`, {
      method: 'POST',
      headers: KEY,
      body: '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}',
    });
    // The simulator numbers its requests.
    const unnumbered = (text: string) => text.replace(/req_[0-9a-f]+/g, 'req');
    const expected = unnumbered(await direct.text());
    const calls = [
      () => running.chat(),
      () => running.chat({ stream: true }),
      () =>
        fetch(`${running.url}/v1/responses/input_tokens`, { method: 'POST', headers: KEY, body: COUNTING }),
      () => fetch(`${running.url}/v1/models`, { headers: KEY }),
    ];
    for (const call of calls) {
      const answer = await call();
      expect(answer.status).toBe(status);
      expect(answer.headers.get('x-nexus-source')).toBe('upstream');
      for (const name of ['retry-after', 'retry-after-ms', 'x-should-retry'])
        expect([name, answer.headers.get(name)]).toEqual([name, direct.headers.get(name)]);
      const text = await answer.text();
      if (call === calls[0] || call === calls[1]) expect(unnumbered(text)).toBe(expected);
      await nothingOpen(running);
    }
    expect(Object.fromEntries(await usedBy(running))).toEqual({
      concurrent_requests: 0,
      requests_per_minute: 0,
      model_tokens_per_minute: 0,
    });
    for (const line of await requestLines(running, 4))
      expect(line).toMatchObject({ status, upstream_status: status });
  });

  it('of the 4xx kind passes, costs its request and no tokens', async () => {
    const running = await startWithSimulator(LIMITS);
    const answer = await running.chat({ messages: 7 });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-nexus-source')).toBe('upstream');
    await nothingOpen(running);
    const used = await usedBy(running);
    expect(used.get('requests_per_minute')).toBe(1);
    expect(used.get('model_tokens_per_minute')).toBe(0);
  });

  it.each([
    ['metered', rawChat()],
    ['unread', rawPost('/v1/responses/input_tokens', COUNTING)],
    ['GET', rawGet('/v1/models')],
  ])('is a redirect that is passed on and never followed: %s', async (_name, bytes) => {
    const running = await startWithSimulator(LIMITS);
    const elsewhere = await startWithSimulator();
    const location = `${elsewhere.simulator.url}/v1/models`;
    running.simulator.faults.next({ name: 'redirect-302', location });
    const { text } = await rawRequest(running.port, bytes, { until: /\r\n\r\n/ });
    expect(text).toMatch(/^HTTP\/1\.1 302/);
    expect(text.toLowerCase()).toContain(`location: ${location}`);
    await nothingOpen(running);
    expect(running.simulator.hits()).toBe(1);
    expect(elsewhere.simulator.hits()).toBe(0);
  });

  it.each([
    ['metered', '/v1/chat/completions', 'POST'],
    ['unread POST', '/v1/responses/input_tokens', 'POST'],
    ['unread GET', '/v1/models', 'GET'],
  ])("about the gateway's own key is a 502 in our words: %s", async (_name, path, method) => {
    const running = await startWithSimulator(OURS);
    running.simulator.faults.next('echo-key');
    const answer = await fetch(`${running.url}${path}`, {
      method,
      headers: { authorization: 'Bearer client-key-123456' },
      ...(method === 'POST' ? { body: '{"model":"gpt-4o-mini","messages":[],"input":"x"}' } : {}),
    });
    expect(answer.status).toBe(502);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    const text = await answer.text();
    expect(errorIn(text).code).toBe('upstream_refused_key');
    expect(`${text}${JSON.stringify([...answer.headers])}`).not.toContain('sk-upstream');
    await nothingOpen(running);
    expect(running.logText()).not.toContain('sk-upstream-secret');
    expect(running.simulator.requests[0]?.headers).toContainEqual([
      'authorization',
      'Bearer sk-upstream-secret-123456',
    ]);
  });

  it("about the client's own key passes as it came", async () => {
    const running = await startWithSimulator(LIMITS, { apiKeys: ['sk-other'] });
    const answers = [await running.chat(), await fetch(`${running.url}/v1/models`, { headers: KEY })];
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(answer.headers.get('x-nexus-source')).toBe('upstream');
      expect(errorIn(await answer.text()).code).toBe('invalid_api_key');
    }
    await nothingOpen(running);
  });
});
