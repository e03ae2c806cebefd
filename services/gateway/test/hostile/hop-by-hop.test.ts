import { chunkingServer, rawRequest, receiveRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ADMIN, nothingOpen, rawGet, rawPost } from '../faults/wire.ts';
import { requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

const CALLS = [
  [
    'a metered call',
    (headers: readonly string[]) => rawPost('/v1/chat/completions', '{"model":"m","messages":[]}', headers),
  ],
  [
    'an unread POST',
    (headers: readonly string[]) => rawPost('/v1/responses/input_tokens', '{"input":"x"}', headers),
  ],
  ['an unread GET', (headers: readonly string[]) => rawGet('/v1/models', headers)],
] as const;

/** The header fields that the upstream got, by lower-case name. */
async function upstreamHeaders(bytes: string): Promise<Map<string, string>> {
  const running = await startWithSimulator(ADMIN);
  const { text } = await rawRequest(running.port, bytes, { until: /\r\n\r\n/ });
  expect(text).not.toMatch(/^HTTP\/1\.1 5/);
  await nothingOpen(running);
  expect(running.simulator.hits()).toBe(1);
  return new Map(running.simulator.requests[0]?.headers.map(([name, value]) => [name.toLowerCase(), value]));
}

describe.each(CALLS)('The header fields of %s', (_name, call) => {
  it('lose what is meant for one hop, and what Connection names', async () => {
    const seen = await upstreamHeaders(
      call([
        'Connection: X-Secret, x-other , keep-alive',
        'X-Secret: 1',
        'X-Other: 2',
        'X-Kept: 3',
        'Keep-Alive: timeout=5',
        'Proxy-Authorization: Basic eA==',
        'Proxy-Connection: keep-alive',
        'TE: trailers, deflate',
        'Trailer: X-T',
      ]),
    );
    for (const name of [
      'x-secret',
      'x-other',
      'keep-alive',
      'proxy-authorization',
      'proxy-connection',
      'te',
      'trailer',
    ])
      expect([name, seen.get(name)]).toEqual([name, undefined]);
    expect(seen.get('x-kept')).toBe('3');
    expect(seen.get('connection') ?? 'keep-alive').not.toContain('Secret');
  });

  it('keep the credential, the length and the type, whatever Connection names', async () => {
    const named = 'Authorization, Content-Length, Content-Type, Host, Content-Encoding, X-Request-Id';
    const seen = await upstreamHeaders(call([`Connection: ${named}`, 'X-Request-Id: mine']));
    expect(seen.get('authorization')).toBe('Bearer sk-test-key');
    expect(seen.get('x-request-id')).toBe('mine');
    expect(seen.get('host')).toMatch(/^127\.0\.0\.1:/);
    if (seen.has('content-length')) expect(seen.get('content-type')).toBe('application/json');
  });

  it('lose what tells who and where the client is', async () => {
    const secret = [
      'Cookie: session=1',
      'Forwarded: for=1.2.3.4',
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Host: evil',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Prefix: /x',
      'X-Real-IP: 1.2.3.4',
      'Via: 1.1 a',
      'True-Client-IP: 1.2.3.4',
      'CF-Connecting-IP: 1.2.3.4',
      'X-Nexus-Feature: search',
    ];
    const seen = await upstreamHeaders(call(secret));
    for (const line of secret) {
      const name = line.split(':')[0]?.toLowerCase() ?? '';
      expect([name, seen.get(name)]).toEqual([name, undefined]);
    }
  });

  it('name the upstream as the host, never the one that the client wrote', async () => {
    const seen = await upstreamHeaders(
      call(['X-Host: evil']).replace('Host: gateway', 'Host: evil.example:1234'),
    );
    expect(seen.get('host')).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('keep the names of the prototype harmless', async () => {
    const seen = await upstreamHeaders(call(['__proto__: x', 'constructor: y', 'toString: z']));
    expect(seen.get('__proto__')).toBe('x');
    expect(seen.get('constructor')).toBe('y');
  });

  it('of the answer lose what is meant for one hop', async () => {
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.end(
        [
          'HTTP/1.1 200 OK',
          'Connection: X-Secret, close',
          'X-Secret: 1',
          'Keep-Alive: timeout=5',
          'Proxy-Authenticate: Basic',
          'Proxy-Connection: close',
          'Upgrade: h2c',
          'Alt-Svc: h3=":443"',
          'X-Nexus-Source: nexus',
          'X-Nexus-Limit: fake',
          'X-Kept: a',
          'Set-Cookie: a=1',
          'Set-Cookie: b=2',
          'Content-Length: 2',
          '',
          '{}',
        ].join('\r\n'),
      );
    });
    const running = await startInFrontOf(upstream.url, ADMIN);
    const { text } = await rawRequest(running.port, call([]), { until: /\{\}$/ });
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    for (const name of [
      'x-secret',
      'proxy-authenticate',
      'proxy-connection',
      'upgrade',
      'alt-svc',
      'x-nexus-source',
      'x-nexus-limit',
    ])
      expect(text.toLowerCase()).not.toContain(`\r\n${name}:`);
    expect(text.toLowerCase()).toContain('\r\nx-kept: a');
    expect(text.match(/set-cookie: /gi)).toHaveLength(2);
    expect(text).not.toContain('timeout=5\r\n');
    await requestLines(running, 1);
  });
});
