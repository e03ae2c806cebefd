import { request as plainRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:tls';
import { freePort, selfSignedCert } from '@nexus/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ask, ask, chat, errorIn } from './https-client.ts';
import { recordingInstance } from './recording-instance.ts';
import { NEEDS_NGINX, nginx, type RunningEdge, startEdge } from './running-edge.ts';

const PATH = '/v1/chat/completions';

describe.skipIf(nginx.missing)(`what nginx answers by itself${NEEDS_NGINX}`, () => {
  let edge: RunningEdge;
  let instance: Awaited<ReturnType<typeof recordingInstance>>;

  beforeAll(async () => {
    instance = await recordingInstance({ status: 404, type: 'text/plain', text: 'of theirs' });
    edge = await startEdge([instance.port]);
  });

  afterAll(async () => {
    await edge?.close();
    await instance?.close();
  });

  const refusals: [string, string, Ask, number, Record<string, unknown>][] = [
    [
      'a body that is too large',
      PATH,
      { body: 'x'.repeat(11 * 1024 * 1024) },
      413,
      { message: 'The request body is too large.', code: 'body_too_large' },
    ],
    [
      'an upload that is too large',
      '/v1/files',
      { headers: { 'content-length': `${600 * 1024 * 1024}` } },
      413,
      { code: 'body_too_large' },
    ],
    [
      'too long a header field',
      PATH,
      { headers: { 'x-long': 'x'.repeat(20_000) } },
      431,
      { code: 'headers_too_large' },
    ],
    ['too long a path', `/${'x'.repeat(20_000)}`, {}, 414, { code: 'bad_path' }],
    ['TRACE', PATH, { method: 'TRACE' }, 405, { code: 'method_not_allowed' }],
  ];
  for (const [what, path, how, status, error] of refusals) {
    it(`refuses ${what} with ${status} in OpenAI’s shape`, async () => {
      const answer = await ask(edge.url, path, how);
      expect(answer.status).toBe(status);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(answer.headers['x-nexus-source']).toBe('nexus');
      expect(answer.headers['x-request-id']).toMatch(/^[\w.:-]+$/);
      expect(errorIn(answer.text)).toEqual({
        message: expect.any(String),
        type: 'invalid_request_error',
        param: null,
        code: expect.any(String),
        ...error,
      });
      expect(answer.headers['x-should-retry']).toBeUndefined();
    });
  }

  it('refuses the same over HTTP/2', async () => {
    const refused = async (headers: Record<string, string>, body?: Buffer) => {
      const session = connectHttp2(edge.url, { ca: selfSignedCert().cert });
      const stream = session.request({ ':path': PATH, ':method': 'POST', ...headers });
      if (body) stream.end(body);
      const status = await new Promise((resolve, reject) => {
        stream.once('response', (head) => resolve(head[':status']));
        stream.once('error', reject);
      });
      let text = '';
      for await (const bytes of stream) text += `${bytes}`;
      session.destroy();
      return [status, errorIn(text).code];
    };
    expect(await refused({ 'content-length': '11000000' })).toEqual([413, 'body_too_large']);
    expect(await refused({}, Buffer.alloc(11_000_000))).toEqual([413, 'body_too_large']);
    expect(await refused({ ':path': '/metrics' }, Buffer.alloc(10))).toEqual([404, 'not_found']);
  });

  for (const path of [
    '/metrics',
    '/metrics/',
    '/metrics?x=1',
    '//metrics',
    '/%6detrics',
    '/./metrics',
    '/v1/../metrics',
    '/METRICS',
    '/admin',
    '/admin/v1/keys',
    '/admin/openapi.json',
    '/Admin/v1/keys',
    '/nexus-edge/error',
  ]) {
    it(`says 404 to ${path} and lets nothing through`, async () => {
      const before = instance.requests.length;
      const answer = await ask(edge.url, path);
      expect(answer.status).toBe(404);
      expect(errorIn(answer.text).code).toBe('not_found');
      expect(instance.requests).toHaveLength(before);
    });
  }

  it('leaves an instance’s own errors as they are', async () => {
    const answer = await ask(edge.url, '/v1/adminx');
    expect(answer).toMatchObject({ status: 404, text: 'of theirs' });
    expect(answer.headers['content-type']).toBe('text/plain');
    expect(instance.requests.at(-1)?.line).toBe('GET /v1/adminx');
  });

  it('passes the path byte for byte', async () => {
    const path = '/v1/models/ft:gpt%3A4o%20x?a=%2F&b=c+d';
    await ask(edge.url, path);
    expect(instance.requests.at(-1)?.line).toBe(`GET ${path}`);
  });

  it('refuses bytes that are no request with 400 in OpenAI’s shape', async () => {
    const { cert } = selfSignedCert();
    const client = connect({ port: edge.port, host: '127.0.0.1', ca: cert, servername: 'localhost' });
    client.write('NO REQUEST\r\n\r\n');
    let text = '';
    for await (const bytes of client) text += `${bytes}`;
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(errorIn(text.slice(text.indexOf('\r\n\r\n'))).code).toBe('bad_framing');
  });

  it('refuses plain HTTP with 400 in OpenAI’s shape', async () => {
    const [status, text] = await new Promise<[number | undefined, string]>((resolve, reject) => {
      const req = plainRequest({ port: edge.port, host: '127.0.0.1', path: PATH }, async (res) => {
        let all = '';
        for await (const bytes of res) all += `${bytes}`;
        resolve([res.statusCode, all]);
      });
      req.once('error', reject).end();
    });
    expect(status).toBe(400);
    expect(errorIn(text).type).toBe('invalid_request_error');
  });

  it('keeps a plain request id of the client, and makes one in place of another', async () => {
    const kept = await ask(edge.url, '/metrics', { headers: { 'x-request-id': 'mine-1' } });
    expect([kept.headers['x-request-id'], kept.headers['request-id']]).toEqual(['mine-1', 'mine-1']);
    const made = await ask(edge.url, '/metrics', { headers: { 'x-request-id': 'a "quoted" one' } });
    expect(made.headers['x-request-id']).toMatch(/^[0-9a-f]{32}$/);
  });

  it('refuses an address that sends far too much with 429, a time to wait and no call to an instance', async () => {
    const slow = await startEdge([await freePort()], {
      'rate=1000r/s': 'rate=1r/s',
      'burst=2000 nodelay': 'burst=1 nodelay',
    });
    try {
      const answers = [];
      for (let i = 0; i < 4; i++) answers.push(await ask(slow.url, PATH, chat()));
      const refused = answers.at(-1);
      expect(refused?.status).toBe(429);
      expect(refused?.headers['retry-after']).toBe('1');
      expect(errorIn(refused?.text ?? '')).toMatchObject({ type: 'requests', code: 'rate_limit_exceeded' });
    } finally {
      await slow.close();
    }
  });

  it('says 502 and that trying again is safe when no instance can be reached', async () => {
    const alone = await startEdge([await freePort(), await freePort()]);
    try {
      const answer = await ask(alone.url, PATH, chat());
      expect(answer.status).toBe(502);
      expect(errorIn(answer.text)).toEqual({
        message: 'No instance of Nexus answered.',
        type: 'server_error',
        param: null,
        code: 'gateway_unreachable',
      });
      expect(answer.headers).toMatchObject({ 'x-should-retry': 'true', 'retry-after': '1' });
      const upload = await ask(alone.url, '/v1/files', { body: 'x'.repeat(100_000) });
      expect(upload.status).toBe(502);
      expect(errorIn(upload.text).code).toBe('gateway_unreachable');
      const anthropic = await ask(alone.url, '/v1/messages', chat());
      expect(JSON.parse(anthropic.text)).toMatchObject({ type: 'error', error: { type: 'server_error' } });
    } finally {
      await alone.close();
    }
  });
});
