import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { rawRequest } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requestLines, startInFrontOf } from '../running-gateway.ts';

const OWN_KEY = 'sk-canary-of-the-company-77be01';
const STARS = '*'.repeat(OWN_KEY.length);
const SETTINGS = `keys: [{ id: app, key: sk-test-key, upstream_key: ${OWN_KEY} }]`;
const KEY = { authorization: 'Bearer sk-test-key' };

/** An upstream that quotes the key that it was sent, in two pieces if a place is named. */
function quoting(status: number, cutAt?: number): Promise<string> {
  return serving((req, res) => {
    const text = `{"error":{"message":"Key ${req.headers.authorization} and again sk-canary-of ${OWN_KEY}"}}`;
    res.writeHead(status, { 'content-type': 'application/json', 'x-debug': `${req.headers.authorization}` });
    res.write(text.slice(0, cutAt ?? text.length));
    if (cutAt === undefined) res.end();
    else setTimeout(() => res.end(text.slice(cutAt)), 20);
  });
}

async function serving(answer: RequestListener): Promise<string> {
  const server = createServer((req, res) => {
    req.resume();
    answer(req, res);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

/** An upstream whose error is compressed. */
function coded(coding: string, body: Uint8Array, status = 404): Promise<string> {
  return serving((_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', 'content-encoding': coding });
    res.end(body);
  });
}

const SAFE = `{"error":{"message":"Key Bearer ${STARS} and again sk-canary-of ${STARS}"}}`;

describe('an upstream that quotes our key in an error', () => {
  it.each([400, 404, 429, 500])(
    'does not show it to the client: %s, metered or not, also one of several',
    async (status) => {
      const url = await quoting(status);
      const several = `upstreams: [{ name: a, target_url: "${url}", keys: [${OWN_KEY}] }]`;
      for (const running of [await startInFrontOf(url, SETTINGS), await startInFrontOf(undefined, several)]) {
        const answers = [
          await running.chat(),
          await fetch(`${running.url}/v1/files`, { headers: KEY }),
          await fetch(`${running.url}/v1/files`, { method: 'POST', headers: KEY, body: 'x' }),
        ];
        for (const answer of answers) {
          expect(answer.status).toBe(status);
          expect(answer.headers.get('x-debug')).toBeNull();
          expect(await answer.text()).toBe(SAFE);
        }
        expect(running.logText()).not.toContain(OWN_KEY);
      }
    },
  );

  it('does not show it in pieces either, wherever they are cut', async () => {
    const first = SAFE.indexOf('*');
    for (const cutAt of [first - 3, first, first + 1, first + OWN_KEY.length - 1, SAFE.length - 4]) {
      const running = await startInFrontOf(await quoting(400, cutAt), SETTINGS);
      for (const answer of [await running.chat(), await fetch(`${running.url}/v1/files`, { headers: KEY })])
        expect(await answer.text()).toBe(SAFE);
    }
  });

  it('is let speak where the key was the client’s own, or all went well', async () => {
    const passing = await startInFrontOf(await quoting(400));
    expect(await (await passing.chat()).text()).toContain('Bearer sk-test-key');
    const well = await startInFrontOf(await quoting(200), SETTINGS);
    expect(await (await fetch(`${well.url}/v1/files`, { headers: KEY })).text()).toContain(OWN_KEY);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('does not show it compressed by %s either, where it passes unread', async (coding, compress) => {
    const body = compress(Buffer.from(`{"error":"${OWN_KEY}"}`));
    const running = await startInFrontOf(await coded(coding, body), SETTINGS);
    const answer = await fetch(`${running.url}/v1/files`, { headers: KEY });
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([404, null]);
    expect(await answer.text()).toBe(`{"error":"${STARS}"}`);
    const head = await fetch(`${running.url}/v1/files`, { method: 'HEAD', headers: KEY });
    expect([head.status, head.headers.get('content-encoding')]).toEqual([404, coding]);
    // A metered call asks for no coding.
    const metered = await running.chat();
    expect(metered.status).toBe(502);
    expect(await metered.text()).toContain('upstream_invalid');
    const passing = await startInFrontOf(await coded(coding, body));
    const own = await fetch(`${passing.url}/v1/files`, { headers: KEY });
    expect(own.headers.get('content-encoding')).toBe(coding);
  });

  it('is not heard where nobody can say what it says', async () => {
    const unknown = await startInFrontOf(await coded('compress', Buffer.from(OWN_KEY)), SETTINGS);
    const answer = await fetch(`${unknown.url}/v1/files`, { headers: KEY });
    expect(answer.status).toBe(502);
    expect(await answer.text()).toContain('upstream_invalid');
    const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024));
    for (const body of [Buffer.from(OWN_KEY), gzipSync(OWN_KEY).subarray(0, -4), bomb]) {
      const broken = await startInFrontOf(await coded('gzip', body, 500), SETTINGS);
      const whole = fetch(`${broken.url}/v1/files`, { headers: KEY }).then((one) => one.text());
      await expect(whole).rejects.toThrow();
      expect((await requestLines(broken, 1))[0]).toMatchObject({ message: 'request failed' });
    }
  });

  it('does not show it in a redirection, a reason, or its id of the request', async () => {
    const url = await serving((_req, res) => {
      res.writeHead(302, `Found ${OWN_KEY}`, {
        location: `/?key=${OWN_KEY}`,
        'x-request-id': OWN_KEY,
        'x-kept': '1',
      });
      res.end(OWN_KEY);
    });
    const running = await startInFrontOf(url, SETTINGS);
    for (const [method, path] of [
      ['GET', '/v1/files'],
      ['POST', '/v1/chat/completions'],
    ] as const) {
      const body = method === 'POST' ? '{"model":"m","messages":[]}' : null;
      const answer = await fetch(running.url + path, { method, headers: KEY, redirect: 'manual', body });
      expect([answer.status, answer.statusText, answer.headers.get('x-kept')]).toEqual([302, '', '1']);
      expect(`${JSON.stringify([...answer.headers])}${await answer.text()}`).not.toContain(OWN_KEY);
    }
    await requestLines(running, 2);
    expect(running.logText()).not.toContain(OWN_KEY);
  });

  it('does not show it where it refuses a WebSocket', async () => {
    const upgrade =
      'GET /v1/realtime HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test-key\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    const first = SAFE.indexOf('*');
    for (const cutAt of [undefined, first + 3]) {
      const running = await startInFrontOf(await quoting(404, cutAt), SETTINGS);
      const { text } = await rawRequest(running.port, upgrade);
      expect(text).toMatch(/^HTTP\/1\.1 404 /);
      expect(text.replaceAll(/\r\n[0-9a-f]+\r\n/g, '')).toContain('sk-canary-of ****');
      expect(text).not.toContain(OWN_KEY);
      expect(text).not.toContain('x-debug');
    }
    const running = await startInFrontOf(await coded('gzip', gzipSync(OWN_KEY)), SETTINGS);
    expect((await rawRequest(running.port, upgrade)).text).toMatch(/^HTTP\/1\.1 502 [\s\S]*upstream_invalid/);
  });
});
