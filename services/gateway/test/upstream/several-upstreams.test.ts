import { once } from 'node:events';
import { type Simulator, type SimulatorOptions, startSimulator } from '@nexus/simulator';
import { freePort } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { nothingOpen, usedBy } from '../faults/wire.ts';
import { type RunningGateway, requestLines, startInFrontOf } from '../running-gateway.ts';

const ADMIN = 'admin: { listen: "127.0.0.1:0" }\n';
const LIMITS = `${ADMIN}limits: { requests_per_minute: 100, concurrent_requests: 10, model_tokens_per_minute: 100000 }\n`;
const KEY = { authorization: 'Bearer sk-test-key' };

async function simulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const started = await startSimulator(options);
  onTestFinished(() => started.close());
  return started;
}

/** A gateway without a default target. Each line is one entry of `upstreams`. */
async function startFor(entries: readonly string[], settings = LIMITS): Promise<RunningGateway> {
  const list = `upstreams:\n${entries.map((entry) => `  - ${entry}\n`).join('')}`;
  return startInFrontOf(undefined, `${settings}${list}`);
}

/** The values of a header of each request that came. */
function sent({ requests }: Simulator, name: string): (string | undefined)[] {
  return requests.map(({ headers }) => headers.find(([given]) => given.toLowerCase() === name)?.[1]);
}

describe('Several upstreams', () => {
  it('each get the models and paths that they serve, in the order of the file', async () => {
    const [a, b, c] = [await simulator(), await simulator(), await simulator()];
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", models: ["gpt-4o*", "!*-mini"] }`,
      `{ name: b, target_url: "${b.url}", models: ["gpt-4o-mini"] }`,
      `{ name: c, target_url: "${c.url}", paths: [/v1/messages] }`,
    ]);
    const names: (string | null)[] = [];
    for (const model of ['gpt-4o', 'gpt-4o-mini'])
      names.push((await running.chat({ model })).headers.get('x-nexus-upstream'));
    const message = {
      model: 'claude-sonnet-4-5',
      max_tokens: 9,
      messages: [{ role: 'user', content: 'Hello' }],
    };
    for (const path of ['/v1/messages', '/v1/%6dessages', '/V1/Messages']) {
      const answer = await fetch(`${running.url}${path}`, {
        method: 'POST',
        headers: { 'x-api-key': 'sk-test-key', 'anthropic-version': '2023-06-01' },
        body: JSON.stringify(message),
      });
      names.push(answer.headers.get('x-nexus-upstream'));
    }
    // What passes unread goes by its path alone.
    names.push((await fetch(`${running.url}/v1/models`, { headers: KEY })).headers.get('x-nexus-upstream'));
    expect(names).toEqual(['a', 'b', 'c', 'c', 'c', 'a']);
    expect([a.hits(), b.hits(), c.hits()]).toEqual([2, 1, 3]);
    const lines = await requestLines(running, 6);
    expect(lines.map(({ upstream }) => upstream)).toEqual(['a', 'b', 'c', 'c', 'c', 'a']);
    expect(lines[0]).toMatchObject({ attempts: 1 });
  });

  it('answer 404 for what none serves, and charge nothing for it', async () => {
    const a = await simulator();
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", models: ["gpt-4o"], paths: [/v1/chat] }`,
    ]);
    const answer = await running.chat({ model: 'gpt-5' });
    expect([answer.status, await answer.json()]).toMatchObject([404, { error: { code: 'model_not_found' } }]);
    const nothing = await fetch(`${running.url}/v1/chats`, { headers: KEY });
    expect([nothing.status, await nothing.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
    expect(nothing.headers.has('x-nexus-upstream')).toBe(false);
    expect(a.hits()).toBe(0);
    await running.chat({ model: 'gpt-4o' });
    expect((await usedBy(running)).get('requests_per_minute')).toBe(1);
  });

  it('leave the rest to target_url, which gets the key of the client', async () => {
    const [a, rest] = [await simulator(), await simulator()];
    const running = await startInFrontOf(
      rest.url,
      `upstreams: [{ name: a, target_url: "${a.url}", models: ["x"], keys: [up-a] }]`,
    );
    const answer = await running.chat();
    expect(answer.headers.get('x-nexus-upstream')).toBe('default');
    expect(sent(rest, 'authorization')).toEqual(['Bearer sk-test-key']);
  });

  it('say nothing of themselves where there is one alone', async () => {
    const a = await simulator();
    const running = await startInFrontOf(a.url, '');
    expect((await running.chat()).headers.has('x-nexus-upstream')).toBe(false);
    const [line] = await requestLines(running, 1);
    expect(line).not.toHaveProperty('upstream');
    expect(line).not.toHaveProperty('attempts');
  });

  it('get their own keys in the header that the path wants, their own host, and no key of a client', async () => {
    const a = await simulator();
    const running = await startFor([`{ name: a, target_url: "${a.url}", keys: [up-key] }`]);
    await running.chat({}, { 'x-api-key': 'sk-test-key-2', 'api-key': 'sk-test-key-3' });
    await fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      headers: KEY,
      body: JSON.stringify({
        model: 'claude-sonnet-4-5',
        max_tokens: 9,
        messages: [{ role: 'user', content: 'Hi' }],
      }),
    });
    await fetch(`${running.url}/v1/models`, { headers: { 'api-key': 'sk-test-key' } });
    expect(sent(a, 'authorization')).toEqual(['Bearer up-key', undefined, 'Bearer up-key']);
    expect(sent(a, 'x-api-key')).toEqual([undefined, 'up-key', undefined]);
    expect(sent(a, 'host')).toEqual(Array(3).fill(new URL(a.url).host));
    expect(JSON.stringify(a.requests.map(({ headers }) => headers))).not.toContain('sk-test-key');
  });

  it('get the key of a principal that has one for the upstream, and no fallback gets that', async () => {
    const [a, b] = [await simulator(), await simulator()];
    const running = await startFor(
      [
        `{ name: a, target_url: "${a.url}", keys: [up-a], fallback: b, fallback_on: [5xx] }`,
        `{ name: b, target_url: "${b.url}", keys: [up-b] }`,
      ],
      'keys: [{ id: mine, key: sk-test-key, upstream_key: its-own }]\n',
    );
    a.faults.next('error-500');
    const answer = await running.chat();
    expect([answer.status, answer.headers.get('x-nexus-upstream')]).toEqual([200, 'b']);
    expect(sent(a, 'authorization')).toEqual(['Bearer its-own']);
    expect(sent(b, 'authorization')).toEqual(['Bearer up-b']);
  });
});

describe('A WebSocket to one of several upstreams', () => {
  it('goes by its path, with the upstream’s own key, and says which it was', async () => {
    const [a, b] = [await simulator(), await simulator()];
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [up-a], paths: [/v1/chat] }`,
      `{ name: b, target_url: "${b.url}", keys: [up-b], paths: [/v1/realtime] }`,
    ]);
    const url = `${running.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime`;
    const socket = new WebSocket(url, 'realtime', { headers: KEY });
    const [head]: { headers: Record<string, unknown> }[] = await once(socket, 'upgrade');
    expect(head?.headers['x-nexus-upstream']).toBe('b');
    socket.terminate();
    expect(sent(b, 'authorization')).toEqual(['Bearer up-b']);
    expect(a.hits()).toBe(0);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ upstream: 'b', attempts: 1, upstream_status: 101 });
    await nothingOpen(running);
  });

  it('is refused where no upstream serves its path', async () => {
    const a = await simulator();
    const running = await startFor([`{ name: a, target_url: "${a.url}", paths: [/v1/chat] }`]);
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}/v1/realtime`, { headers: KEY });
    const [error] = await once(socket, 'error').catch((cause: unknown) => [cause]);
    expect(String(error)).toContain('404');
    expect(a.hits()).toBe(0);
  });
});

describe('An answer of several upstreams', () => {
  it('is never a redirect that was followed, nor named by another upstream', async () => {
    const [a, b] = [await simulator(), await simulator()];
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [up-a] }`,
      `{ name: b, target_url: "${b.url}", keys: [up-b], paths: [/v1/never] }`,
    ]);
    a.faults.next({ name: 'redirect-302', location: `${b.url}/v1/chat/completions` });
    const answer = await fetch(`${running.url}/v1/chat/completions`, {
      method: 'POST',
      redirect: 'manual',
      headers: { ...KEY, 'x-nexus-upstream': 'b', host: 'evil.example' },
      body: '{"model":"b","messages":[]}',
    });
    expect([answer.status, answer.headers.get('x-nexus-upstream')]).toEqual([302, 'a']);
    expect(b.hits()).toBe(0);
    expect(sent(a, 'x-nexus-upstream')).toEqual([undefined]);
  });
});

describe('A POST to several upstreams', () => {
  it.each(['error-429', 'error-500', 'error-529', 'reset-before'] as const)(
    'is sent once where nothing else is configured: %s',
    async (fault) => {
      const [a, b] = [await simulator(), await simulator()];
      const running = await startFor([
        `{ name: a, target_url: "${a.url}", keys: [k1, k2], fallback: b }`,
        `{ name: b, target_url: "${b.url}", keys: [k3] }`,
      ]);
      a.faults.next(fault);
      const answer = await running.chat();
      await answer.text();
      expect(answer.status).toBeGreaterThanOrEqual(429);
      expect([a.hits(), b.hits()]).toEqual([1, 0]);
      await nothingOpen(running);
    },
  );

  it('is sent again with another key after a 429, where retry says so, and settled once', async () => {
    const a = await simulator();
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [k1, k2], retry: { on: [429, 5xx] } }`,
    ]);
    a.faults.next({ name: 'error-429', retryAfterMs: 30_000 });
    expect((await running.chat()).status).toBe(200);
    expect(sent(a, 'authorization')).toEqual(['Bearer k1', 'Bearer k2']);
    // The first still cools off.
    expect((await running.chat()).status).toBe(200);
    expect(sent(a, 'authorization').at(-1)).toBe('Bearer k2');
    const lines = await requestLines(running, 2);
    expect(lines.map(({ attempts }) => attempts)).toEqual([2, 1]);
    expect(lines[0]).not.toHaveProperty('error');
    expect((await usedBy(running)).get('requests_per_minute')).toBe(2);
    await nothingOpen(running);
  });

  it('is not sent again after a 429 with the only key, whose answer passes', async () => {
    const a = await simulator();
    const running = await startFor([`{ name: a, target_url: "${a.url}", keys: [k1], retry: { on: [429] } }`]);
    a.faults.next('error-429');
    expect((await running.chat()).status).toBe(429);
    expect(a.hits()).toBe(1);
    // A key that is alone doesn't keep its upstream from being asked.
    expect((await running.chat()).status).toBe(200);
  });

  it('is sent as often as attempts says, and the last answer passes', async () => {
    const a = await simulator();
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [k1], retry: { on: [500], attempts: 3 } }`,
    ]);
    a.faults.next('error-500', 3);
    expect((await running.chat()).status).toBe(500);
    expect(a.hits()).toBe(3);
    expect((await usedBy(running)).get('requests_per_minute')).toBe(0);
    await nothingOpen(running);
  });

  it.each([
    ['error-429', '[429, 5xx]'],
    ['error-503', '[429, 5xx]'],
    ['error-529', '[529]'],
  ] as const)('goes to the fallback after %s, where fallback_on says %s, streams too', async (fault, on) => {
    const [a, b] = [await simulator(), await simulator()];
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [k1], fallback: b, fallback_on: ${on} }`,
      `{ name: b, target_url: "${b.url}", keys: [k2] }`,
    ]);
    a.faults.next(fault);
    const answer = await running.chat({ stream: true });
    expect([answer.status, answer.headers.get('x-nexus-upstream')]).toEqual([200, 'b']);
    const text = await answer.text();
    expect(text).toContain('[DONE]');
    expect(text).not.toContain('error');
    expect([a.hits(), b.hits()]).toEqual([1, 1]);
    expect(sent(b, 'authorization')).toEqual(['Bearer k2']);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ upstream: 'b', attempts: 2, upstream_status: 200 });
    expect((await usedBy(running)).get('requests_per_minute')).toBe(1);
  });

  it('goes to no fallback once its stream has begun, nor to one that serves other models', async () => {
    const [a, b] = [await simulator(), await simulator()];
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [k1], fallback: b, fallback_on: [5xx], retry: { on: [5xx] } }`,
      `{ name: b, target_url: "${b.url}", keys: [k2], models: ["gpt-5*"] }`,
    ]);
    a.faults.next('reset-midstream');
    await expect(running.chat({ stream: true }).then((answer) => answer.text())).rejects.toThrow();
    expect(a.hits()).toBe(1);
    a.faults.next('error-500', 2);
    expect((await running.chat()).status).toBe(500);
    expect([a.hits(), b.hits()]).toEqual([3, 0]);
    await nothingOpen(running);
  });

  it('goes to the fallback where the connection fails, with the same body', async () => {
    const b = await simulator();
    const running = await startFor([
      `{ name: a, target_url: "http://127.0.0.1:${await freePort()}", keys: [k1], fallback: b }`,
      `{ name: b, target_url: "${b.url}", keys: [k2] }`,
    ]);
    expect((await running.chat({ user: 'u' })).status).toBe(200);
    expect(String(b.requests[0]?.body)).toContain('"user":"u"');
    await nothingOpen(running);
  });

  it('goes to the fallback of the fallback, and to none twice', async () => {
    const [a, b, c] = [await simulator(), await simulator(), await simulator()];
    const on = 'fallback_on: [5xx]';
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [k1], fallback: b, ${on} }`,
      `{ name: b, target_url: "${b.url}", keys: [k2], fallback: c, ${on} }`,
      `{ name: c, target_url: "${c.url}", keys: [k3], fallback: a, ${on} }`,
    ]);
    for (const upstream of [a, b, c]) upstream.faults.always('error-500');
    const answer = await running.chat();
    expect([answer.status, answer.headers.get('x-nexus-upstream')]).toEqual([500, 'c']);
    expect([a.hits(), b.hits(), c.hits()]).toEqual([1, 1, 1]);
  });
});

describe('The keys of an upstream', () => {
  it('that it refuses are told to nobody, said once, and left alone', async () => {
    const a = await simulator({ apiKeys: ['canary-good'] });
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [canary-bad, canary-good], retry: { on: [500] } }`,
    ]);
    const answers = [await running.chat(), await running.chat(), await running.chat()];
    expect(answers.map(({ status }) => status)).toEqual([502, 200, 200]);
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    expect(texts[0]).toContain('upstream_refused_key');
    a.faults.next('echo-key');
    texts.push(await (await running.chat()).text());
    await requestLines(running, 4);
    const refusals = running.log.filter(({ message }) => message === 'upstream refused a key');
    expect(refusals).toMatchObject([0, 1].map((key) => ({ upstream: 'a', key, status: 401, level: 'warn' })));
    expect(running.logText()).not.toContain('canary');
    expect(texts.join()).not.toContain('canary');
    const health = await fetch(`${running.url}/health`);
    expect(await health.text()).not.toContain('canary');
  });
});

describe('The breaker of an upstream', () => {
  it('opens after five failures: then 503 at once with retry-after, and everything given back', async () => {
    const a = await simulator();
    const running = await startFor([`{ name: a, target_url: "${a.url}", keys: [k1] }`]);
    a.faults.always('error-500');
    for (let i = 0; i < 5; i++) expect((await running.chat()).status).toBe(500);
    for (const call of [() => running.chat(), () => fetch(`${running.url}/v1/models`, { headers: KEY })]) {
      const answer = await call();
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(answer.headers.get('x-nexus-source')).toBe('nexus');
      expect(await answer.json()).toMatchObject({ error: { code: 'upstream_unavailable' } });
    }
    expect(a.hits()).toBe(5);
    expect((await usedBy(running)).get('requests_per_minute')).toBe(0);
    await nothingOpen(running);
    expect(running.log.filter(({ message }) => message === 'upstream is away')).toMatchObject([
      { upstream: 'a' },
    ]);
  });

  it('lets the fallback take everything, what passes unread too', async () => {
    const [a, b] = [await simulator(), await simulator()];
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [k1], fallback: b }`,
      `{ name: b, target_url: "${b.url}", keys: [k2] }`,
    ]);
    a.faults.always('error-500');
    for (let i = 0; i < 5; i++) await running.chat();
    const answers = [await running.chat(), await fetch(`${running.url}/v1/models`, { headers: KEY })];
    expect(answers.map(({ headers }) => headers.get('x-nexus-upstream'))).toEqual(['b', 'b']);
    expect(a.hits()).toBe(5);
  });

  it('is not opened by clients that leave', async () => {
    const a = await simulator();
    const running = await startFor([`{ name: a, target_url: "${a.url}", keys: [k1] }`]);
    a.faults.next('stall-before', 6);
    for (let i = 0; i < 6; i++) {
      const leaving = new AbortController();
      const call = fetch(`${running.url}/v1/chat/completions`, {
        method: 'POST',
        headers: KEY,
        body: '{"model":"gpt-4o-mini","messages":[]}',
        signal: leaving.signal,
      });
      const hits = i + 1;
      await expect.poll(() => a.hits(), { timeout: 20_000 }).toBe(hits);
      leaving.abort();
      await expect(call).rejects.toThrow();
    }
    await requestLines(running, 6);
    expect((await running.chat()).status).toBe(200);
  });
});
