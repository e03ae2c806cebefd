import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ADMIN, errorIn, lives, nothingOpen, rawPost } from '../faults/wire.ts';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

const BODY = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}';

const REFUSED = [
  '/v1/../admin',
  '/v1/..',
  '/..',
  '/v1/./models',
  '/v1/.',
  '//evil.example/v1/models',
  '/v1//models',
  '/v1/models//',
  '/v1/%2e%2e/admin',
  '/v1/%2E%2E/admin',
  '/v1/.%2e/admin',
  '/v1/%2e/models',
  '/v1%2fmodels',
  '/v1%2Fchat%2Fcompletions',
  '/v1/models%5c..',
  '/v1\\models',
  '/v1/models%00',
  '/v1/models%0d%0aX-Evil:%20a',
  '/v1/models%0a',
  '/v1/models%7f',
  '/v1/models#fragment',
  '/v1/models?a#b',
  '/v1/mod\x01els',
  '/v1/mod\x7fels',
  '/v1/mod\xe9ls',
  '/v1/models?a=\x01',
  '/v1/models?a=\xff',
  'http://evil.example/v1/models',
  'https://evil.example/v1/chat/completions',
  'HTTP://127.0.0.1/v1/models',
  '*',
  'v1/models',
  '?a=b',
  'evil.example:443',
  '@evil.example/v1/models',
];

describe('A path', () => {
  it.each(REFUSED)('that another server could read otherwise is a 400 and goes nowhere: %j', async (path) => {
    const running = await startWithSimulator(ADMIN);
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const { text, end } = await rawRequest(running.port, rawPost(path, BODY).replace('POST', method), {
        withinMs: 1_000,
      });
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(end).not.toBe('still open');
      const { code } = errorIn(text.slice(text.indexOf('\r\n\r\n') + 4));
      expect(['bad_path', 'bad_framing']).toContain(code);
    }
    expect(running.simulator.hits()).toBe(0);
    expect(await lives(running)).toBe(true);
    await nothingOpen(running);
  });

  it.each(['evil.example:443', '127.0.0.1:80', '/v1/models'])('of CONNECT is refused: %s', async (target) => {
    const running = await startWithSimulator(ADMIN);
    const { text, end } = await rawRequest(
      running.port,
      `CONNECT ${target} HTTP/1.1\r\nHost: evil.example:443\r\nAuthorization: Bearer k\r\n\r\n`,
      { withinMs: 1_000 },
    );
    expect(end).not.toBe('still open');
    expect(text).not.toMatch(/^HTTP\/1\.1 2/);
    expect(running.simulator.hits()).toBe(0);
    expect(await lives(running)).toBe(true);
  });

  it.each([
    '/v1/chat/completions',
    '/v1/Chat/Completions',
    '/V1/CHAT/COMPLETIONS',
    '/v1/chat/completions/',
    '/v1/chat/completions?a=/../b',
    '/v1/chat/%63ompletions',
    '/v1/%63%68%61%74/completions',
    '/v1/chat/completion%73/',
    '/chat/completions',
    '/openai/v1/chat/completions',
    '/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21',
    '/v1/completions',
    '/v1/embeddings',
    '/v1/responses',
    '/v1/messages',
    '/anthropic/v1/messages',
  ])('of a metered call is metered however it is spelt: %s', async (path) => {
    const running = await startWithSimulator(
      `${ADMIN}limits: { model_tokens_per_minute: 20, input_tokens_per_minute: 20 }`,
    );
    const long = 'word '.repeat(200);
    const body = JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: long }],
      input: long,
      prompt: long,
      max_tokens: 1,
    });
    const { text } = await rawRequest(running.port, rawPost(path, body), { until: /\r\n\r\n/ });
    expect(text).toMatch(/^HTTP\/1\.1 429 /);
    expect(running.simulator.hits()).toBe(0);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ decision: 'denied' });
  });

  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PROPFIND'])(
    'of a metered call asked for by %s still takes its request',
    async (method) => {
      const running = await startWithSimulator(`${ADMIN}limits: { requests_per_minute: 1 }`);
      const bytes = rawPost('/v1/chat/completions', '', ['Connection: close']).replace('POST', method);
      await rawRequest(running.port, bytes, { withinMs: 1_000 });
      const { text } = await rawRequest(running.port, bytes, { withinMs: 1_000 });
      expect(text).toMatch(/^HTTP\/1\.1 429 /);
      expect(running.simulator.hits()).toBe(1);
    },
  );

  it.each([
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'X-Original-URL',
    'X-Rewrite-URL',
  ])('is what the request line says, whatever %s says', async (name) => {
    const running = await startWithSimulator(`${ADMIN}limits: { input_tokens_per_minute: 3 }`);
    const value = name.includes('URL') ? '/v1/models' : 'GET';
    const { text } = await rawRequest(
      running.port,
      rawPost('/v1/chat/completions', BODY, [`${name}: ${value}`]),
      { until: /\r\n\r\n/ },
    );
    expect(text).toMatch(/^HTTP\/1\.1 429 /);
  });

  it('goes upstream as it came, with its query', async () => {
    const running = await startWithSimulator(ADMIN);
    const targets = [
      '/v1/models?a=1&b=%20c&a=2',
      '/v1/files/f%C3%A9?x=y?z',
      '/v1/%41%42',
      '/',
      '/v1/a;b=c/d:e@f',
      '/v1/models?u=http://x//y/../z',
    ];
    for (const target of targets) {
      await rawRequest(running.port, `GET ${target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\n\r\n`, {
        until: /\r\n\r\n/,
      });
    }
    expect(running.simulator.requests.map(({ path }) => path)).toEqual(targets);
  });

  it('below /nexus is never forwarded, and its own pages give away nothing', async () => {
    const running = await startWithSimulator(`${ADMIN}keys: [{ id: app, key: known-key-123456 }]`);
    for (const path of [
      '/nexus',
      '/nexus/',
      '/nexus/x',
      '/NEXUS/limits/',
      '/nexus/limits/x',
      '/Nexus/x',
      '/%6eexus/x',
    ]) {
      const { text } = await rawRequest(
        running.port,
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      expect([path, text.slice(9, 12)]).toEqual([path, expect.stringMatching(/^(?:404|401)$/)]);
      expect(text.toLowerCase()).not.toContain('<html');
      errorIn(text.slice(text.indexOf('\r\n\r\n') + 4));
    }
    expect(running.simulator.hits()).toBe(0);
  });

  it('of the admin address is unknown on the public one, and the other way round', async () => {
    const running = await startWithSimulator(ADMIN);
    const metrics = await fetch(`${running.url}/metrics`);
    expect(metrics.status).toBe(401);
    const outside = await fetch(`${running.url}/health`);
    expect(await outside.text()).not.toContain('reservations');
    const chat = await fetch(`${running.gateway.adminUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer k' },
      body: BODY,
    });
    expect(chat.status).toBe(404);
    expect(running.simulator.hits()).toBe(0);
  });
});
