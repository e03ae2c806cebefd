import { startSimulator } from '@nexus/simulator';
import { chunkingServer, freePort } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requestLines, startInFrontOf } from '../running-gateway.ts';
import { ADMIN, errorIn, nothingOpen, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { requests_per_minute: 1, concurrent_requests: 1, model_tokens_per_minute: 10000 }`;
const KEY = { authorization: 'Bearer sk-test-key' };

describe('An upstream that cannot be reached', () => {
  it('is a 502 upstream_unreachable that may be tried again, with everything given back', async () => {
    const port = await freePort();
    const running = await startInFrontOf(`http://127.0.0.1:${port}`, LIMITS);
    for (const call of [
      () => running.chat(),
      () => fetch(`${running.url}/v1/models`, { headers: KEY }),
      () => fetch(`${running.url}/v1/files`, { method: 'POST', headers: KEY, body: 'x'.repeat(300_000) }),
    ]) {
      const startedMs = performance.now();
      const answer = await call();
      expect(performance.now() - startedMs).toBeLessThan(8_000);
      expect(answer.status).toBe(502);
      expect(answer.headers.get('x-nexus-source')).toBe('nexus');
      expect(answer.headers.has('x-should-retry')).toBe(false);
      expect(errorIn(await answer.text())).toMatchObject({
        code: 'upstream_unreachable',
        type: 'server_error',
      });
      await nothingOpen(running);
    }
    expect(Object.fromEntries(await usedBy(running))).toEqual({
      requests_per_minute: 0,
      concurrent_requests: 0,
      model_tokens_per_minute: 0,
    });
    const simulator = await startSimulator({ port });
    onTestFinished(() => simulator.close());
    expect((await running.chat()).status).toBe(200);
  });

  it('is a 502 within 2 s also where its name is unknown', async () => {
    const running = await startInFrontOf('http://no-such-host.invalid', LIMITS);
    const startedMs = performance.now();
    for (const answer of [await running.chat(), await fetch(`${running.url}/v1/models`, { headers: KEY })]) {
      expect(answer.status).toBe(502);
      const text = await answer.text();
      expect(errorIn(text).code).toBe('upstream_unreachable');
      expect(text).not.toContain('no-such-host');
    }
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    await nothingOpen(running);
  });

  it('is a 502 once the time to connect is over, where it accepts and never speaks', async () => {
    const upstream = await chunkingServer(() => {});
    const running = await startInFrontOf(
      `https://127.0.0.1:${upstream.port}`,
      `${LIMITS}\ntimeouts: { connect: 200ms }`,
    );
    for (const call of [() => running.chat(), () => fetch(`${running.url}/v1/models`, { headers: KEY })]) {
      const startedMs = performance.now();
      const answer = await call();
      expect(performance.now() - startedMs).toBeLessThan(8_000);
      expect(answer.status).toBe(502);
      expect(errorIn(await answer.text()).code).toBe('upstream_unreachable');
    }
    await nothingOpen(running);
  });

  it('is tried once more and no further', async () => {
    const upstream = await chunkingServer((socket) => void socket.destroy());
    const running = await startInFrontOf(`https://127.0.0.1:${upstream.port}`, LIMITS);
    expect((await running.chat()).status).toBe(502);
    expect(upstream.connections()).toBe(2);
    await nothingOpen(running);
  });

  it('is not tried again once the client has left', async () => {
    const upstream = await chunkingServer(() => {});
    const running = await startInFrontOf(
      `https://127.0.0.1:${upstream.port}`,
      `${LIMITS}\ntimeouts: { connect: 300ms }`,
    );
    const leaving = new AbortController();
    const call = fetch(`${running.url}/v1/chat/completions`, {
      method: 'POST',
      headers: KEY,
      body: '{"model":"gpt-4o-mini","messages":[]}',
      signal: leaving.signal,
    });
    setTimeout(() => leaving.abort(), 100);
    await expect(call).rejects.toThrow();
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left' });
    await nothingOpen(running);
    expect(upstream.connections()).toBe(1);
    expect((await usedBy(running)).get('requests_per_minute')).toBe(0);
  });
});
