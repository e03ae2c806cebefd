import { chunkingServer, rawRequest, receiveRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { startInFrontOf, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, errorIn, lives, nothingOpen, rawChat, rawGet, rawPost, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, requests_per_minute: 100, model_tokens_per_minute: 100000 }`;
const BODY = '{"id":"chatcmpl-fault","object":"chat.completion","choices":[]}';

const CALLS = [
  ['metered', rawChat({}, ['Connection: close'])],
  ['unread POST', rawPost('/v1/responses/input_tokens', '{"input":"x"}', ['Connection: close'])],
  ['unread GET', rawGet('/v1/models', ['Connection: close'])],
] as const;

/** `either`: the fault leaves an answer that may be taken for valid; it passes or is a 502, but nothing else. */
const FAULTS = [
  ['status-000', 502],
  ['status-101', 502],
  ['bad-status-line', 502],
  ['control-in-reason', 'either'],
  ['bad-header-bytes', 'either'],
  ['trailer-with-length', 200],
  ['length-and-chunked', 'either'],
  ['bad-chunk-size', 'broken'],
  ['informational-flood', 'either'],
  ['giant-headers', 502],
  ['many-headers', 'either'],
] as const;

function bodyOf(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4);
}

describe('An upstream that answers something that is no HTTP', () => {
  it.each(
    FAULTS.flatMap(([fault, outcome]) =>
      CALLS.map(([name, bytes]) => [fault, name, outcome, bytes] as const),
    ),
  )('ends nothing but its own request: %s, %s', async (fault, _name, outcome, bytes) => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.next(fault);
    const { text, end } = await rawRequest(running.port, bytes, { withinMs: 1_500 });
    const status = Number(text.slice(9, 12));
    expect(end).toBe('closed');
    if (outcome === 'broken' && (text === '' || status === 200)) expect(text).not.toMatch(/0\r\n\r\n$/);
    else {
      expect([502, ...(outcome === 502 ? [] : [200])]).toContain(status);
      if (outcome === 200) expect(status).toBe(200);
      if (status === 200) {
        expect(text).toContain(BODY);
        expect(text).not.toMatch(/^trailer:/im);
        const [statusLine = ''] = text.split('\r\n');
        expect(statusLine).toMatch(/^HTTP\/1\.1 200 [\x20-\x7e]*$/);
      } else {
        const error = errorIn(bodyOf(text));
        expect(['upstream_invalid', 'upstream_failed']).toContain(error.code);
        expect(text).toContain('x-should-retry: false');
      }
    }
    expect(running.simulator.hits()).toBe(1);
    expect(await lives(running)).toBe(true);
    await nothingOpen(running);
    expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
    expect((await running.chat()).status).toBe(200);
  });

  const NONSENSE = [
    ['an answer with no bytes', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-ty'],
    ['a status of 1000', 'HTTP/1.1 1000 OK\r\n\r\n'],
    ['a status of 99', 'HTTP/1.1 99 OK\r\n\r\n'],
    ['a status of 600', 'HTTP/1.1 600 OK\r\ncontent-length: 0\r\n\r\n'],
    ['a status of 999', 'HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['a length that overflows', 'HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n'],
    ['only 100 Continue', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['zeros', '\0\0\0\0\0\0\0\0'],
  ] as const;

  it.each(
    NONSENSE.flatMap(([what, answer]) => CALLS.map(([name, bytes]) => [what, name, answer, bytes] as const)),
  )('is a 502: %s, %s', async (_what, _name, answer, bytes) => {
    let sent = 0;
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      sent += 1;
      socket.end(answer, 'latin1');
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    const { text } = await rawRequest(running.port, bytes, { withinMs: 1_500 });
    expect(text).toMatch(/^HTTP\/1\.1 502/);
    expect(text).toContain('x-should-retry: false');
    expect(sent).toBe(1);
    expect(await lives(running)).toBe(true);
    await nothingOpen(running);
  });

  it('is cut off where a connection that was kept open goes on with a second answer', async () => {
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      const one = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"id":"1"}';
      socket.write(
        `${one.slice(0, -1)}}HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"id":"stolen"}`,
      );
      socket.resume();
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    for (const [, bytes] of CALLS) {
      for (let i = 0; i < 3; i++) {
        const { text } = await rawRequest(running.port, bytes, { withinMs: 1_000 });
        expect(text).not.toContain('stolen');
        await nothingOpen(running);
      }
    }
  });
});
