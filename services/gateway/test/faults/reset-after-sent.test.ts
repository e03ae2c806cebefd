import { chunkingServer, receiveRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, errorIn, nothingOpen, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, requests_per_minute: 10, model_tokens_per_minute: 10000 }`;
const KEY = { authorization: 'Bearer sk-test-key' };

describe('An upstream that resets once the request was sent', () => {
  it.each([
    ['a metered call', '/v1/chat/completions', 'POST'],
    ['a metered stream', '/v1/chat/completions?stream', 'POST'],
    ['an unread POST', '/v1/responses/input_tokens', 'POST'],
    ['an unread GET', '/v1/models', 'GET'],
    ['an unread DELETE', '/v1/files/file-1', 'DELETE'],
  ])('is a 502 that forbids another try, and is hit exactly once: %s', async (_name, path, method) => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.always('reset-before');
    const body = JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [],
      input: 'x',
      stream: path.includes('stream'),
    });
    const answer = await fetch(`${running.url}${path}`, {
      method,
      headers: KEY,
      ...(method === 'POST' ? { body } : {}),
    });
    expect(answer.status).toBe(502);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(errorIn(await answer.text()).code).toBe('upstream_failed');
    await nothingOpen(running);
    expect(running.simulator.hits()).toBe(1);
    const used = await usedBy(running);
    expect(used.get('requests_per_minute')).toBe(1);
    expect(used.get('model_tokens_per_minute')).toBe(0);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'request failed', error_code: 'upstream_failed', status: 502 });
    running.simulator.faults.clear();
    expect((await running.chat()).status).toBe(200);
  });

  it('is hit once also when it closes a connection that was kept open', async () => {
    let requests = 0;
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      requests += 1;
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
      socket.resume();
      await receiveRequest(socket).catch(() => {});
      requests += 1;
      socket.resetAndDestroy();
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    expect((await running.chat()).status).toBe(200);
    const second = await running.chat();
    expect(second.status).toBe(502);
    expect(second.headers.get('x-should-retry')).toBe('false');
    expect(requests).toBe(2);
    await nothingOpen(running);
  });

  it('breaks nothing when it answers and closes before the whole upload has come', async () => {
    const upstream = await chunkingServer((socket) => {
      socket.once('data', () =>
        socket.end(
          'HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}',
        ),
      );
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    for (let i = 0; i < 3; i++) {
      const answer = await fetch(`${running.url}/v1/files`, {
        method: 'POST',
        headers: KEY,
        body: new Uint8Array(3_000_000),
      }).catch(() => undefined);
      expect([413, 502, undefined]).toContain(answer?.status);
      await answer?.text().catch(() => {});
      await nothingOpen(running);
    }
  });
});
