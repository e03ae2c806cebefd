import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startInFrontOf } from '../running-gateway.ts';

const OWN_KEY = 'sk-canary-of-the-company-77be01';
const STARS = '*'.repeat(OWN_KEY.length);
const SETTINGS = `keys: [{ id: app, key: sk-test-key, upstream_key: ${OWN_KEY} }]`;
const KEY = { authorization: 'Bearer sk-test-key' };

/** An upstream that quotes the key that it was sent, in two pieces if a place is named. */
async function quoting(status: number, cutAt?: number): Promise<string> {
  const server = createServer((req, res) => {
    req.resume();
    const text = `{"error":{"message":"Key ${req.headers.authorization} and again sk-canary-of ${OWN_KEY}"}}`;
    res.writeHead(status, { 'content-type': 'application/json', 'x-debug': `${req.headers.authorization}` });
    res.write(text.slice(0, cutAt ?? text.length));
    if (cutAt === undefined) res.end();
    else setTimeout(() => res.end(text.slice(cutAt)), 20);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
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
});
