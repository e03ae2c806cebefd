import { once } from 'node:events';
import { createServer } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import { rawRequest } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { rawChat } from '../faults/wire.ts';
import { type RunningGateway, startInFrontOf } from '../running-gateway.ts';

const PRICES = 'prices: { "gpt*": { usd_per_call: 0.000000001 } }';
const EVENTS =
  'data: {"choices":[]}\n\ndata: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\ndata: [DONE]';
const STREAM = { stream: true, stream_options: { include_usage: true } };
const ASKED = { 'x-nexus-cost': 'comment' };

/** A gateway in front of an upstream that answers each call with these bytes, and says their length. */
async function answering(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<RunningGateway> {
  const server = createServer((req, res) => {
    req.resume();
    const length = Buffer.byteLength(body);
    res.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': length, ...headers });
    res.end(body);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  return startInFrontOf(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, PRICES);
}

describe('the cost behind a stream', () => {
  it.each([
    ['ended', '\n\n', ''],
    ['half ended', '\n', ''],
    ['not ended', '', '\n'],
  ])('stands on a line of its own behind a last event that is %s', async (_how, end, added) => {
    const running = await answering(`${EVENTS}${end}`);
    const text = await (await running.chat(STREAM, ASKED)).text();
    expect(text).toBe(`${EVENTS}${end}${added}: x-nexus-cost 0.000000001\n\n`);
    for (const headers of [{}, { 'x-nexus-cost': 'trailer' }]) {
      const silent = await running.chat(STREAM, headers);
      expect(silent.headers.get('x-nexus-cost')).toBeNull();
      expect(await silent.text()).toBe(`${EVENTS}${end}`);
    }
  });

  it('is in the body as it is framed: what comes next on the connection is the next answer', async () => {
    const running = await answering(`${EVENTS}\n\n`);
    const call = rawChat(STREAM, ['X-Nexus-Cost: comment']);
    const { text } = await rawRequest(
      running.port,
      `${call}GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    const [head = '', ...rest] = text.split('\r\n\r\n');
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    // It leaves whole, with its length, or in chunks.
    const comment = ': x-nexus-cost 0.000000001\n\n';
    const body = `${EVENTS}\n\n${comment}`;
    if (length === undefined) expect(text).toContain(`${comment}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n`);
    else {
      expect(Number(length)).toBe(body.length);
      expect(rest[0]?.startsWith(`${body}HTTP/1.1 200 OK\r\n`)).toBe(true);
    }
  });

  it('is not told behind bytes that are no plain events', async () => {
    const coded = await answering(gzipSync(`${EVENTS}\n\n`), { 'content-encoding': 'gzip' });
    const { text } = await rawRequest(
      coded.port,
      rawChat(STREAM, ['X-Nexus-Cost: comment', 'Connection: close']),
    );
    expect(text).not.toContain('x-nexus-cost');
    expect(await (await coded.chat(STREAM, ASKED)).text()).toBe(
      gunzipSync(gzipSync(`${EVENTS}\n\n`)).toString(),
    );
    const html = await answering('<h1>It works!</h1>', { 'content-type': 'text/html' });
    expect(await (await html.chat(STREAM, ASKED)).text()).toBe('<h1>It works!</h1>');
  });
});

describe('the cost of an answer', () => {
  it('leaves its bytes as they are, and takes the place of what an upstream says', async () => {
    const body = '{ "usage" : {"prompt_tokens":3,"completion_tokens":2,"total_tokens":5} }\n';
    const running = await answering(body, { 'content-type': 'application/json', 'x-nexus-cost': '99' });
    const answer = await running.chat();
    expect(answer.headers.get('x-nexus-cost')).toBe('0.000000001');
    expect(answer.headers.get('content-length')).toBe(String(body.length));
    expect(await answer.text()).toBe(body);
  });
});
