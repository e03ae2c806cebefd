import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { nothingOpen, usedBy } from '../faults/wire.ts';
import { requestLines, startInFrontOf } from '../running-gateway.ts';
import { KEY, sent, simulator, startFor } from './upstream-simulators.ts';

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
    const message = 'The model `gpt-5` does not exist or you do not have access to it.';
    const error = { code: 'model_not_found', message };
    expect([answer.status, await answer.json()]).toMatchObject([404, { error }]);
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
