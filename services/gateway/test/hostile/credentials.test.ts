import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ADMIN, errorIn, jsonObject, nothingOpen, rawGet } from '../faults/wire.ts';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

const ONE_A_MINUTE = `${ADMIN}limits: { requests_per_minute: 1 }`;

/** A GET with these headers alone. */
function get(headers: readonly string[]): string {
  return ['GET /v1/models HTTP/1.1', 'Host: a', 'Connection: close', ...headers, '', ''].join('\r\n');
}

describe('A credential', () => {
  it.each([
    'Authorization: bearer sk-one',
    'Authorization: BEARER sk-one',
    'Authorization: Bearer   sk-one',
    'Authorization:Bearer sk-one',
    'Authorization: Bearer\tsk-one',
    'Authorization: Bearer sk-one   ',
    'AUTHORIZATION: Bearer sk-one',
    'x-api-key: sk-one',
    'X-Api-Key:   sk-one  ',
    'api-key: sk-one',
    'x-goog-api-key: sk-one',
  ])('has one bucket however it is written: %s', async (header) => {
    const running = await startWithSimulator(ONE_A_MINUTE);
    const first = await rawRequest(running.port, get(['Authorization: Bearer sk-one']));
    expect(first.text).toMatch(/^HTTP\/1\.1 200/);
    const second = await rawRequest(running.port, get([header]));
    expect(second.text).toMatch(/^HTTP\/1\.1 429/);
  });

  it.each([
    'Authorization: Basic c2stb25lOg==',
    'Authorization: Bearer',
    'Authorization: Bearer ',
    'Authorization: Bearersk-one',
    'Authorization: Bearer sk-one sk-two',
    'Authorization: Bearer sk-one, Bearer sk-two',
    'Authorization: Bearer sk-\xf6ne',
    'Authorization: sk-one',
    'x-api-key:',
    'x-api-key: sk one',
    'Cookie: api-key=sk-one',
    'X-Nexus-Key: sk-one',
    'Proxy-Authorization: Bearer sk-one',
  ])('that is none is a 401 and goes nowhere: %s', async (header) => {
    const running = await startWithSimulator(ONE_A_MINUTE);
    const { text } = await rawRequest(running.port, get([header]));
    const known = header.includes('sk-one, Bearer') || header.includes('\xf6');
    expect(text).toMatch(/^HTTP\/1\.1 401/);
    expect(text.toLowerCase()).toContain('www-authenticate: bearer');
    expect(errorIn(text.slice(text.indexOf('\r\n\r\n') + 4)).code).toMatch(/^(?:missing|invalid)_api_key$/);
    expect([known, running.simulator.hits()]).toEqual([known, 0]);
  });

  it('in the query is none', async () => {
    const running = await startWithSimulator(ONE_A_MINUTE);
    const answer = await fetch(`${running.url}/v1/models?key=sk-one&api_key=sk-one`);
    expect(answer.status).toBe(401);
  });

  it('of one header alone is believed, and the others go nowhere', async () => {
    const running = await startWithSimulator(
      `${ADMIN}keys: [{ id: app, key: known-key-123456, upstream_key: sk-upstream-secret-123456 }]`,
    );
    for (const headers of [
      { authorization: 'Bearer unknown-1', 'x-api-key': 'known-key-123456' },
      { authorization: 'Bearer known-key-123456', 'x-api-key': 'unknown-2', 'api-key': 'unknown-3' },
    ]) {
      for (const path of ['/v1/chat/completions', '/v1/responses/input_tokens']) {
        const answer = await fetch(`${running.url}${path}`, {
          method: 'POST',
          headers,
          body: '{"model":"gpt-4o-mini","messages":[],"input":"x"}',
        });
        expect(answer.status).toBeLessThan(401);
      }
    }
    expect(running.simulator.hits()).toBe(4);
    for (const { headers } of running.simulator.requests) {
      const text = JSON.stringify(headers);
      expect(text).toContain('sk-upstream-secret-123456');
      expect(text).not.toContain('unknown-');
      expect(text).not.toContain('known-key-123456');
    }
    const lines = await requestLines(running, 4);
    expect(new Set(lines.map(({ key_id }) => key_id))).toEqual(new Set(['app']));
  });

  it('that nobody knows takes no record and no memory, where keys must be known', async () => {
    const running = await startWithSimulator(
      `${ADMIN}limits: { requests_per_minute: 1000 }\nkeys: [{ id: app, key: known-key-123456 }]`,
    );
    const inside = async () =>
      jsonObject(await (await fetch(`${running.gateway.adminUrl}/health`)).text()).limiter;
    const before = await inside();
    for (let i = 0; i < 300; i++) {
      const { text } = await rawRequest(running.port, get([`Authorization: Bearer invented-${i}`]));
      expect(text).toMatch(/^HTTP\/1\.1 401/);
    }
    expect(await inside()).toEqual(before);
    expect(running.simulator.hits()).toBe(0);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', '[object', '0'])(
    'may be called %s: it is a key like others, and unknown where keys must be known',
    async (key) => {
      const open = await startWithSimulator(ONE_A_MINUTE);
      const headers = [`Authorization: Bearer ${key}`];
      expect((await rawRequest(open.port, get(headers))).text).toMatch(/^HTTP\/1\.1 200/);
      expect((await rawRequest(open.port, get(headers))).text).toMatch(/^HTTP\/1\.1 429/);
      expect((await rawRequest(open.port, rawGet('/v1/models', ['Connection: close']))).text).toMatch(
        /^HTTP\/1\.1 200/,
      );
      const closed = await startWithSimulator(`${ADMIN}keys: [{ id: app, key: known-key-123456 }]`);
      expect((await rawRequest(closed.port, get(headers))).text).toMatch(/^HTTP\/1\.1 401/);
      await nothingOpen(closed);
    },
  );

  it('shares no bucket with one that begins or ends alike', async () => {
    const running = await startWithSimulator(ONE_A_MINUTE);
    const stem = 'sk-'.padEnd(60, 'a');
    for (const key of [stem, `${stem}b`, `b${stem}`, stem.toUpperCase(), stem.slice(1)]) {
      expect((await rawRequest(running.port, get([`Authorization: Bearer ${key}`]))).text).toMatch(
        /^HTTP\/1\.1 200/,
      );
    }
  });

  it('of its own bucket names is no way to another key: /nexus/limits shows its own alone', async () => {
    const running = await startWithSimulator(
      `${ADMIN}keys: [{ id: a, key: known-key-aaaaaa, limits: { requests_per_minute: 5 } }, { id: b, key: known-key-bbbbbb, limits: { requests_per_minute: 7 } }]`,
    );
    const answer = await fetch(`${running.url}/nexus/limits?key=b`, {
      headers: { authorization: 'Bearer known-key-aaaaaa', 'x-nexus-key': 'b' },
    });
    const text = await answer.text();
    expect(text).toContain('key:a/requests_per_minute');
    expect(text).not.toContain('key:b');
  });
});
