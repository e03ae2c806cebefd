import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { chunkingServer, rawRequest, receiveRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, nothingOpen, rawChat } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, model_tokens_per_minute: 100000 }`;
const KEY = { authorization: 'Bearer sk-test-key', 'accept-encoding': 'identity' };
const CHAT = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] };
const ASK = { stream: true, stream_options: { include_usage: true } };

/** The raw bytes of an answer: fetch would decode them. */
function bytesOf(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Buffer; encoding: string | undefined }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', headers: { ...KEY, ...headers } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          body: Buffer.concat(chunks),
          encoding: answer.headers['content-encoding'],
        }),
      );
    });
    call.once('error', reject);
    call.end(JSON.stringify(body));
  });
}

const digest = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex');

describe('An odd answer of the upstream', () => {
  const CALLS = [
    ['a chat answer', '/v1/chat/completions', CHAT],
    ['a chat stream', '/v1/chat/completions', { ...CHAT, ...ASK }],
    ['an unread answer', '/v1/responses/input_tokens', { input: 'x' }],
  ] as const;
  const FAULTS = [
    'malformed-sse',
    'half-events',
    'crlf-events',
    'heartbeat',
    'close-delimited',
    'empty-body',
    'wrong-content-type',
    'trailer-with-length',
  ] as const;

  it.each(FAULTS.flatMap((fault) => CALLS.map((call) => [fault, ...call] as const)))(
    'passes untouched: %s, %s',
    async (fault, _name, path, body) => {
      const running = await startWithSimulator(LIMITS, { outputTokens: 8 });
      const steer = { 'x-simulate-fault': fault };
      const direct = await bytesOf(`${running.simulator.url}${path}`, body, steer);
      const through = await bytesOf(`${running.url}${path}`, body, steer);
      expect(through.status).toBe(direct.status);
      expect(through.body.toString()).toBe(direct.body.toString());
      const [line] = await requestLines(running, 1);
      expect(line).toMatchObject({ message: 'request completed', status: 200 });
      await nothingOpen(running);
    },
  );

  it.each(CALLS)('passes compressed as it came, and is metered: %s', async (_name, path, body) => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.always('gzip');
    const direct = await bytesOf(`${running.simulator.url}${path}`, body);
    const through = await bytesOf(`${running.url}${path}`, body);
    expect(through.encoding).toBe('gzip');
    expect(gunzipSync(through.body).toString()).toBe(gunzipSync(direct.body).toString());
    const [line] = await requestLines(running, 1);
    if (path !== '/v1/responses/input_tokens')
      expect(line).toMatchObject({ usage_source: 'reported', output_tokens: 16 });
    await nothingOpen(running);
  });

  it('passes byte by byte', async () => {
    const running = await startWithSimulator(LIMITS);
    const url = `${running.url}/v1/chat/completions`;
    const direct = await bytesOf(`${running.simulator.url}/v1/chat/completions`, CHAT, {
      'x-simulate-tokens': '1',
    });
    const slow = await bytesOf(url, CHAT, { 'x-simulate-tokens': '1', 'x-simulate-fault': 'slow' });
    expect(slow.body.toString()).toBe(direct.body.toString());
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ usage_source: 'reported', output_tokens: 1 });
  });

  it('is a bomb of gzip: it passes unopened and is not metered for ever', async () => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.next('gzip-bomb');
    const through = await bytesOf(`${running.url}/v1/chat/completions`, CHAT);
    expect(through.body.length).toBeLessThan(100_000);
    await nothingOpen(running);
    const [line] = await requestLines(running, 1);
    expect(Number(line?.output_tokens)).toBeLessThan(1_000_000);
  });

  it.each([
    ['a JSON body', CHAT],
    ['one event of a stream', { ...CHAT, ...ASK }],
    ['one event of a stream whose usage is hidden', { ...CHAT, stream: true }],
  ])('of 20 MB passes whole: %s', async (_name, body) => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.always('huge');
    const direct = await bytesOf(`${running.simulator.url}/v1/chat/completions`, body);
    const through = await bytesOf(`${running.url}/v1/chat/completions`, body);
    expect(through.body.length).toBeGreaterThan(20_000_000);
    // Of what Nexus asked for, a harmless `"usage":null` may stay in an event that is too large to be searched.
    const plain = Buffer.from(through.body.toString('latin1').replace(',"usage":null', ''), 'latin1');
    const expected = Buffer.from(direct.body.toString('latin1').replace(',"usage":null', ''), 'latin1');
    expect([plain.length, digest(plain)]).toEqual([expected.length, digest(expected)]);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ usage_source: 'reported', output_tokens: (20 * 1024 * 1024) / 4 });
    await nothingOpen(running);
  });

  it('hides the usage that Nexus asked for also where events come in halves', async () => {
    const running = await startWithSimulator(LIMITS);
    for (const fault of ['half-events', 'crlf-events', 'usage-twice', 'usage-after-done']) {
      const steer = { 'x-simulate-fault': fault };
      const direct = await bytesOf(
        `${running.simulator.url}/v1/chat/completions`,
        { ...CHAT, stream: true },
        steer,
      );
      const through = await bytesOf(`${running.url}/v1/chat/completions`, { ...CHAT, stream: true }, steer);
      expect(through.body.toString()).toBe(direct.body.toString());
      await nothingOpen(running);
    }
  });

  it('ends with its connection: the client gets it whole, HTTP/1.0 clients too', async () => {
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.end('HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{"id":"x"}');
    });
    const running = await startInFrontOf(upstream.url, ADMIN);
    const chat = rawChat();
    for (const bytes of [
      chat,
      chat.replace('HTTP/1.1', 'HTTP/1.0'),
      'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nConnection: close\r\n\r\n',
      'GET /v1/models HTTP/1.0\r\nAuthorization: Bearer k\r\n\r\n',
    ]) {
      const { text } = await rawRequest(running.port, bytes, { until: /\{"id":"x"\}/ });
      expect(text).toContain('{"id":"x"}');
      expect(text).toMatch(/^HTTP\/1\.1 200/);
    }
    await nothingOpen(running);
  });

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 1234\r\ncontent-type: application/json\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\netag: "x"\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['POST', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ])('has no body, and none is made up: %s %s', async (method, bytes) => {
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write(bytes);
    });
    const running = await startInFrontOf(upstream.url, ADMIN);
    const call =
      method === 'POST'
        ? rawChat()
        : `${method} /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\n\r\n`;
    const { text } = await rawRequest(running.port, call, { until: /\r\n\r\n/ });
    expect(text.slice(0, 12)).toBe(bytes.slice(0, 12));
    expect(text.toLowerCase()).not.toContain('transfer-encoding');
    if (method === 'HEAD') expect(text).toContain('content-length: 1234');
    if (bytes.includes('204')) expect(text.toLowerCase()).not.toContain('content-length');
    expect(text).toMatch(/\r\n\r\n$/);
    await nothingOpen(running);
  });
});
