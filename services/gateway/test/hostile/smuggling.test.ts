import { connect } from 'node:net';
import { rawRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ADMIN, errorIn, lives, nothingOpen } from '../faults/wire.ts';
import { startWithSimulator } from '../running-gateway.ts';

const BODY = '{"model":"gpt-4o-mini","messages":[]}';
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n';

/** A POST with these header lines, both as a metered and as an unread call. */
function post(lines: readonly string[], body: string, version = '1.1'): (path: string) => string {
  return (path) =>
    [`POST ${path} HTTP/${version}`, 'Host: a', 'Authorization: Bearer sk-test-key', ...lines, '', body].join(
      '\r\n',
    );
}

const TE = 'Transfer-Encoding: chunked';
const CL = `Content-Length: ${BODY.length}`;

const AMBIGUOUS: readonly (readonly [string, (path: string) => string])[] = [
  ['Content-Length and Transfer-Encoding', post([CL, TE], CHUNKED)],
  ['Transfer-Encoding and Content-Length', post([TE, CL], CHUNKED)],
  ['Content-Length 0 and Transfer-Encoding', post(['Content-Length: 0', TE], CHUNKED)],
  ['gzip, chunked', post(['Transfer-Encoding: gzip, chunked'], CHUNKED)],
  ['chunked, identity', post(['Transfer-Encoding: chunked, identity'], CHUNKED)],
  ['identity', post(['Transfer-Encoding: identity'], BODY)],
  ['chunked, chunked', post(['Transfer-Encoding: chunked, chunked'], CHUNKED)],
  ['xchunked', post(['Transfer-Encoding: xchunked'], CHUNKED)],
  ['chunked twice', post([TE, TE], CHUNKED)],
  ['chunked and identity in two fields', post([TE, 'Transfer-Encoding: identity'], CHUNKED)],
  ['a quoted coding', post(['Transfer-Encoding: "chunked"'], CHUNKED)],
  ['a coding with a parameter', post(['Transfer-Encoding: chunked;a=b'], CHUNKED)],
  ['a coding behind a vertical tab', post(['Transfer-Encoding: \x0bchunked'], CHUNKED)],
  ['an empty coding', post(['Transfer-Encoding:'], CHUNKED)],
  ['an empty coding beside a length', post(['Transfer-Encoding: ', CL], BODY)],
  ['chunked in HTTP/1.0', post([TE], CHUNKED, '1.0')],
  ['two equal lengths', post([CL, CL], BODY)],
  ['two different lengths', post(['Content-Length: 3', CL], BODY)],
  ['two lengths in one field', post([`Content-Length: ${BODY.length}, ${BODY.length}`], BODY)],
  ['a length with a plus', post([`Content-Length: +${BODY.length}`], BODY)],
  ['a hexadecimal length', post(['Content-Length: 0x25'], BODY)],
  ['a negative length', post(['Content-Length: -1'], BODY)],
  ['a fractional length', post(['Content-Length: 5.0'], BODY)],
  ['a length with an exponent', post(['Content-Length: 1e1'], BODY)],
  ['an empty length', post(['Content-Length:'], BODY)],
  ['a length that overflows', post(['Content-Length: 99999999999999999999999999'], BODY)],
  ['a length with a space inside', post(['Content-Length: 3 7'], BODY)],
  ['a folded field', post(['X-Folded: a', ' b', CL], BODY)],
  ['a folded length', post(['Content-Length:', ' 37'], BODY)],
  ['a space before the colon', post([`Content-Length : ${BODY.length}`], BODY)],
  ['a tab before the colon', post(['Transfer-Encoding\t: chunked'], CHUNKED)],
  ['a field without a colon', post(['nonsense', CL], BODY)],
  ['a field without a name', post([': x', CL], BODY)],
  ['a space before the first field', (path) => `POST ${path} HTTP/1.1\r\n Host: a\r\n${CL}\r\n\r\n${BODY}`],
  ['a NUL in a value', post(['X-A: a\0b', CL], BODY)],
  ['a NUL in a name', post(['X\0A: b', CL], BODY)],
  ['a bare CR in a value', post(['X-A: a\rb', CL], BODY)],
  ['a bare LF as a line end', post([`X-A: a\nX-B: b`, CL], BODY)],
  ['bare LFs alone', (path) => post([CL], BODY)(path).replaceAll('\r\n', '\n')],
  ['a chunk size with 0x', post([TE], `0x25\r\n${BODY}\r\n0\r\n\r\n`)],
  ['a negative chunk size', post([TE], `-25\r\n${BODY}\r\n0\r\n\r\n`)],
  ['a chunk size that overflows', post([TE], `fffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`)],
  ['no chunk size', post([TE], `\r\n${BODY}\r\n0\r\n\r\n`)],
  ['a chunk size with a bare LF', post([TE], `25\n${BODY}\r\n0\r\n\r\n`)],
  ['a space in a chunk size', post([TE], `25 \r\n${BODY}\r\n0\r\n\r\n`)],
  ['a flood of chunk extensions', post([TE], `25;${'a'.repeat(40_000)}\r\n${BODY}\r\n0\r\n\r\n`)],
  ['two Hosts', post(['Host: b', CL], BODY)],
  ['two Authorizations', post(['Authorization: Bearer other', CL], BODY)],
  ['two Content-Types', post(['Content-Type: application/json', 'Content-Type: text/plain', CL], BODY)],
  ['201 header fields', post([...Array.from({ length: 198 }, (_, i) => `X-${i}: ${i}`), CL], BODY)],
  ['3,000 header fields', post([...Array.from({ length: 2_997 }, () => 'a:b'), CL], BODY)],
  ['17 KB of headers', post([`X-Large: ${'x'.repeat(17 * 1024)}`, CL], BODY)],
  [
    '17 KB of headers in small fields',
    post([...Array.from({ length: 170 }, (_, i) => `X-${i}: ${'x'.repeat(100)}`), CL], BODY),
  ],
  ['a path of 17 KB', (path) => post([CL], BODY)(`${path}?${'x'.repeat(17 * 1024)}`)],
  ['HTTP/0.9', (path) => `POST ${path}\r\n\r\n`],
  ['HTTP/2.0', post([CL], BODY, '2.0')],
  ['HTTP/1.2', post([CL], BODY, '1.2')],
  ['HTTP/1.10', post([CL], BODY, '1.10')],
  ['no Host', (path) => `POST ${path} HTTP/1.1\r\nAuthorization: Bearer k\r\n${CL}\r\n\r\n${BODY}`],
  ['a method in lower case', (path) => post([CL], BODY)(path).replace('POST', 'post')],
  ['an unknown method', (path) => post([CL], BODY)(path).replace('POST', 'SMUGGLE')],
];

describe('A request whose framing is ambiguous', () => {
  it.each(AMBIGUOUS)('is refused, reaches nobody, and ends its connection: %s', async (_name, make) => {
    const running = await startWithSimulator(ADMIN);
    // With connections to the upstream already open, nothing is late enough to be caught by chance.
    await (await running.chat()).text();
    await (await fetch(`${running.url}/v1/models`, { headers: { authorization: 'Bearer k' } })).text();
    for (const path of ['/v1/chat/completions', '/v1/files']) {
      const { text, end } = await rawRequest(running.port, `${make(path)}${SMUGGLED}`, { withinMs: 1_000 });
      expect(end).not.toBe('still open');
      expect(text).toMatch(/^HTTP\/1\.1 (?:400|413|431) /);
      expect(text.match(/^HTTP\/1\.1 \d/gm)).toHaveLength(1);
      expect(text.toLowerCase()).toContain('connection: close');
      expect(text.toLowerCase()).toContain('x-nexus-source: nexus');
      const error = errorIn(text.slice(text.indexOf('\r\n\r\n') + 4));
      expect(error).toMatchObject({ type: 'invalid_request_error', param: null });
      expect(error.code).toMatch(/^(?:bad_framing|headers_too_large|invalid_body)$/);
      await nothingOpen(running);
    }
    expect(running.simulator.requests.slice(2).map((request) => request.path)).toEqual([]);
    expect(running.logText()).not.toContain('/smuggled');
    expect(await lives(running)).toBe(true);
  });

  it('in the middle of an unread body breaks off upstream: it is never whole there', async () => {
    for (const body of [`3\r\n${BODY}\r\n0\r\n\r\n`, `25\r\n${BODY}\r\nzz\r\n`, `25\r\n${BODY}0\r\n\r\n`]) {
      const running = await startWithSimulator(ADMIN);
      const { text, end } = await rawRequest(running.port, `${post([TE], body)('/v1/files')}${SMUGGLED}`);
      expect(end).not.toBe('still open');
      expect(text).not.toMatch(/^HTTP\/1\.1 2/);
      await nothingOpen(running);
      for (const request of running.simulator.requests) {
        expect(request.path).toBe('/v1/files');
        await until(() => request.aborted === true);
      }
    }
  });

  it('is refused in words also on a connection that has had answers before', async () => {
    const running = await startWithSimulator(ADMIN);
    for (const [bytes, status] of [
      [post([CL, TE], CHUNKED)('/v1/files'), 400],
      [post([`X-Large: ${'x'.repeat(17 * 1024)}`, CL], BODY)('/v1/files'), 431],
      [post(['X-A: a\0b', CL], BODY)('/v1/files'), 400],
    ] as const) {
      const socket = connect(running.port, '127.0.0.1');
      let text = '';
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.write('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
      await until(() => text.includes('"uptime_seconds"'));
      text = '';
      socket.write(bytes, 'latin1');
      await until(() => socket.destroyed || socket.readableEnded);
      expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      errorIn(text.slice(text.indexOf('\r\n\r\n') + 4));
    }
  });

  it.each([
    ['two hundred header fields', post([...Array.from({ length: 197 }, (_, i) => `X-${i}: ${i}`), CL], BODY)],
    ['chunked in capitals', post(['Transfer-Encoding: Chunked'], CHUNKED)],
    ['a lower case header', post(['transfer-encoding:chunked'], CHUNKED)],
    ['a short chunk extension', post([TE], `25;a=b\r\n${BODY}\r\n0\r\n\r\n`)],
    ['HTTP/1.0 with a length', post([CL], BODY, '1.0')],
  ])('is not: %s', async (_name, make) => {
    const running = await startWithSimulator(ADMIN);
    const { text } = await rawRequest(running.port, make('/v1/chat/completions'), { until: /\r\n\r\n/ });
    expect(text).toMatch(/^HTTP\/1\.1 (?:200|400)/);
    await until(() => running.simulator.hits() === 1);
    expect(running.simulator.requests[0]?.body.toString()).toBe(BODY);
  });

  it('does not mix two requests of one connection: each gets its own answer, in order', async () => {
    const running = await startWithSimulator(ADMIN);
    const one = post([CL], BODY)('/v1/chat/completions');
    const two = 'GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nConnection: close\r\n\r\n';
    const { text } = await rawRequest(running.port, `${one}${two}`, { withinMs: 1_500 });
    const first = text.indexOf('HTTP/1.1 ');
    const second = text.indexOf('HTTP/1.1 ', first + 1);
    expect(second).toBeGreaterThan(first);
    expect(text.slice(second)).toContain('"object":"list"');
  });

  it('drops trailers and what they pretend to be', async () => {
    const running = await startWithSimulator(ADMIN);
    for (const path of ['/v1/chat/completions', '/v1/files']) {
      const chunks = CHUNKED.replace(/\r\n$/, 'Authorization: Bearer trailer\r\nX-Nexus-Key: a\r\n\r\n');
      await rawRequest(running.port, post([TE, 'Trailer: Authorization'], chunks)(path), {
        until: /\r\n\r\n/,
      });
    }
    for (const { headers } of running.simulator.requests) {
      const text = JSON.stringify(headers).toLowerCase();
      expect(text).not.toContain('bearer trailer');
      expect(text).not.toContain('"trailer"');
    }
    expect(running.simulator.hits()).toBe(2);
    await nothingOpen(running);
  });

  it('answers nothing twice on a connection that goes on after its refusal', async () => {
    const running = await startWithSimulator(ADMIN);
    const socket = connect(running.port, '127.0.0.1');
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write(post([CL, TE], CHUNKED)('/v1/files'));
    await until(() => text.includes('}'));
    for (let i = 0; i < 5; i++) socket.write(SMUGGLED);
    await until(() => socket.destroyed || socket.readableEnded);
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(running.simulator.hits()).toBe(0);
    socket.destroy();
  });
});
