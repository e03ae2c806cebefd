import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { chunkingServer, freePort, rawRequest, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type RunningGateway, requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, errorIn, lives, nothingOpen, openNow, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, requests_per_minute: 100 }`;

const UPGRADE = [
  'GET /v1/realtime?model=gpt-realtime HTTP/1.1',
  'Host: gateway',
  'Authorization: Bearer sk-test-key',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
  '',
].join('\r\n');

/** An open WebSocket through the gateway. */
async function join(running: RunningGateway, headers: Record<string, string> = {}): Promise<WebSocket> {
  const socket = new WebSocket(
    `${running.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime`,
    'realtime',
    {
      headers: { authorization: 'Bearer sk-test-key', ...headers },
    },
  );
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

describe('A WebSocket', () => {
  it('passes both ways, and takes a request and a slot for as long as it is open', async () => {
    const running = await startWithSimulator(LIMITS);
    const socket = await join(running, { 'openai-beta': 'realtime=v1', 'x-forwarded-for': '1.2.3.4' });
    expect(socket.protocol).toBe('realtime');
    const large = 'x'.repeat(300_000);
    for (const text of ['{"type":"session.update"}', large]) {
      const echo = once(socket, 'message');
      socket.send(text);
      expect(String((await echo)[0])).toBe(text);
    }
    const used = await usedBy(running);
    expect(used.get('concurrent_requests')).toBe(1);
    expect(used.get('requests_per_minute')).toBe(1);
    const [request] = running.simulator.requests;
    expect(request?.path).toBe('/v1/realtime?model=gpt-realtime');
    const names = request?.headers.map(([name]) => name.toLowerCase());
    expect(names).toContain('openai-beta');
    expect(names).not.toContain('x-forwarded-for');
    expect((await running.chat()).status).toBe(429);
    socket.close();
    await once(socket, 'close');
    await nothingOpen(running);
    expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
    expect((await running.chat()).status).toBe(200);
    const line = running.log.find(({ path }) => path === '/v1/realtime');
    expect(line).toMatchObject({ message: 'request completed', status: 101, method: 'GET' });
  });

  it('frees its slot when the client goes without a word', async () => {
    const running = await startWithSimulator(LIMITS);
    const socket = await join(running);
    socket.terminate();
    await nothingOpen(running);
    expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
  });

  it('frees its slot when the upstream goes without a word', async () => {
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      );
      socket.resume();
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    const { text, end } = await rawRequest(running.port, UPGRADE);
    expect(text).toMatch(/^HTTP\/1\.1 101/);
    expect(end).not.toBe('still open');
    expect(await lives(running)).toBe(true);
    await nothingOpen(running);
  });

  it('frees its slot when the upstream closes properly', async () => {
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      );
      socket.end(Buffer.from([0x88, 0x00]));
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    const { end } = await rawRequest(running.port, UPGRADE);
    expect(end).toBe('closed');
    await nothingOpen(running);
  });

  it('is refused with an ordinary 401 or 429', async () => {
    const running = await startWithSimulator(
      `${ADMIN}keys: [{ id: app, key: known-key-123456, limits: { requests_per_minute: 1 } }]`,
    );
    const unknown = await rawRequest(running.port, UPGRADE);
    expect(unknown.text).toMatch(/^HTTP\/1\.1 401/);
    expect(unknown.text).not.toContain('sk-test-key');
    expect(errorIn(unknown.text.split('\r\n\r\n')[1] ?? '').code).toBe('invalid_api_key');
    expect(unknown.end).toBe('closed');

    const known = UPGRADE.replace('sk-test-key', 'known-key-123456');
    const first = await rawRequest(running.port, known, { until: /\r\n\r\n/ });
    expect(first.text).toMatch(/^HTTP\/1\.1 101/);
    const second = await rawRequest(running.port, known);
    expect(second.text).toMatch(/^HTTP\/1\.1 429/);
    expect(second.text).toContain('retry-after: ');
    expect(second.text).toContain('x-nexus-limit: key:app/requests_per_minute');
    expect(second.end).toBe('closed');
    await nothingOpen(running);
    expect(running.simulator.hits()).toBe(1);
    expect((await requestLines(running, 3)).map(({ status }) => status).sort()).toEqual([101, 401, 429]);
  });

  it('gets the answer of an upstream that refuses it, and frees its slot', async () => {
    const running = await startWithSimulator(LIMITS, { apiKeys: ['sk-other'] });
    const { text } = await rawRequest(running.port, UPGRADE);
    expect(text).toMatch(/^HTTP\/1\.1 401/);
    await nothingOpen(running);
    expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
  });

  it("is a 502 in our words where the upstream refuses the gateway's own key", async () => {
    const running = await startWithSimulator(
      `${ADMIN}keys: [{ id: app, key: sk-test-key, upstream_key: sk-upstream-secret-123456 }]`,
      { apiKeys: ['sk-other'] },
    );
    const { text } = await rawRequest(running.port, UPGRADE);
    expect(text).not.toContain('sk-upstream');
    expect(text).toMatch(/^HTTP\/1\.1 502/);
    expect(text).toContain('upstream_refused_key');
    await nothingOpen(running);
  });

  it('is a 502 where the upstream cannot be reached, and everything is given back', async () => {
    const running = await startInFrontOf(`http://127.0.0.1:${await freePort()}`, LIMITS);
    const { text, end } = await rawRequest(running.port, UPGRADE);
    expect(text).toMatch(/^HTTP\/1\.1 502/);
    expect(errorIn(text.split('\r\n\r\n')[1] ?? '').code).toBe('upstream_unreachable');
    expect(end).toBe('closed');
    await nothingOpen(running);
    expect((await usedBy(running)).get('requests_per_minute')).toBe(0);
    expect(await lives(running)).toBe(true);
  });

  it.each([
    ['resets', undefined],
    ['answers nonsense', 'ICY 200\r\n\r\n'],
    ['answers 200', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    [
      'answers bad header bytes',
      'HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\nx: a\u0001b\r\n\r\n',
    ],
    ['answers status 000', 'HTTP/1.1 000 \r\n\r\n'],
  ])('frees its slot and ends nothing else when the upstream %s', async (_what, bytes) => {
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      if (bytes === undefined) socket.resetAndDestroy();
      else socket.end(bytes, 'latin1');
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    const { end } = await rawRequest(running.port, UPGRADE);
    expect(end).not.toBe('still open');
    expect(await lives(running)).toBe(true);
    await nothingOpen(running);
    expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
  });

  it('that the upstream never answers ends when the time for the first byte is up', async () => {
    const running = await startWithSimulator(`${LIMITS}\ntimeouts: { first_byte: 300ms }`);
    running.simulator.faults.next('stall-before');
    const { text, end } = await rawRequest(running.port, UPGRADE);
    expect(end).toBe('closed');
    expect(text).toMatch(/^HTTP\/1\.1 504/);
    await nothingOpen(running);
  });

  it('whose client leaves before the upstream answers frees its slot', async () => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.next('stall-before');
    const socket = connect(running.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(UPGRADE);
    await until(async () => (await openNow(running)).requests === 1);
    socket.resetAndDestroy();
    await nothingOpen(running);
  });

  it.each([
    ['without a path', UPGRADE.replace('/v1/realtime?model=gpt-realtime', '/../x'), 400],
    ['with two hosts', UPGRADE.replace('Host: gateway', 'Host: gateway\r\nHost: b'), 400],
    ['of Nexus itself', UPGRADE.replace('/v1/realtime?model=gpt-realtime', '/nexus/limits'), 404],
  ])('%s is refused and goes nowhere', async (_what, bytes, status) => {
    const running = await startWithSimulator(LIMITS);
    const { text } = await rawRequest(running.port, bytes);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status}`));
    expect(running.simulator.hits()).toBe(0);
    await nothingOpen(running);
  });

  it('offered as h2c is ignored: the request is answered in HTTP/1.1', async () => {
    const running = await startWithSimulator(LIMITS);
    const h2c = UPGRADE.replace(
      'Upgrade: websocket',
      'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
    ).replace('/v1/realtime?model=gpt-realtime', '/v1/models');
    const { text } = await rawRequest(running.port, h2c, { until: /"object"/ });
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    const names = running.simulator.requests[0]?.headers.map(([name]) => name.toLowerCase());
    expect(names).not.toContain('upgrade');
    expect(names).not.toContain('http2-settings');
  });

  it('ends when the gateway is told to end now', async () => {
    const running = await startWithSimulator(LIMITS);
    const socket = await join(running);
    const closed = once(socket, 'close');
    const ended = running.gateway.close(0);
    void running.gateway.close();
    await Promise.race([ended, wait(3_000).then(() => expect.unreachable('it is still not over'))]);
    await closed;
  });
});
