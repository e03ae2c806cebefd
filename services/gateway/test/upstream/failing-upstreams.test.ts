import { connect } from 'node:net';
import { until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { nothingOpen, usedBy } from '../faults/wire.ts';
import { requestLines } from '../running-gateway.ts';
import { KEY, sent, simulator, startFor } from './upstream-simulators.ts';

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

describe('A key of an upstream', () => {
  it('is in no answer, no log line and no page, whatever fails', async () => {
    const a = await simulator();
    const running = await startFor([
      `{ name: a, target_url: "${a.url}", keys: [canary-1, canary-2], retry: { on: [401, 403, 429, 5xx], attempts: 3 } }`,
    ]);
    const texts: string[] = [];
    const faults = ['echo-key', 'reset-before', 'error-500', 'status-000', 'bad-status-line'] as const;
    for (const fault of [...faults, 'bad-header-bytes', 'redirect-302', 'gzip'] as const) {
      a.faults.always(fault);
      const answer = await fetch(`${running.url}/v1/chat/completions`, {
        method: 'POST',
        redirect: 'manual',
        headers: KEY,
        body: '{"model":"gpt-4o-mini","messages":[]}',
      });
      texts.push(JSON.stringify([...answer.headers]), await answer.text().catch(String));
    }
    expect(sent(a, 'authorization').join()).toContain('canary-1');
    for (const path of ['/health', '/ready']) texts.push(await (await fetch(running.url + path)).text());
    texts.push(await (await fetch(`${running.gateway.adminUrl}/metrics`)).text());
    await nothingOpen(running);
    expect(texts.join()).not.toContain('canary');
    expect(running.logText()).not.toContain('canary');
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

  it('is not opened by uploads that break off', async () => {
    const a = await simulator();
    const running = await startFor([`{ name: a, target_url: "${a.url}", keys: [k1] }`]);
    for (let i = 0; i < 6; i++) {
      const hits = i + 1;
      const socket = connect(running.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        'POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-test-key\r\ncontent-length: 100000\r\n\r\nx',
      );
      await until(() => a.hits() === hits);
      socket.destroy();
      await requestLines(running, hits);
    }
    expect((await running.chat()).status).toBe(200);
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
      await until(() => a.hits() === hits);
      leaving.abort();
      await expect(call).rejects.toThrow();
    }
    await requestLines(running, 6);
    expect((await running.chat()).status).toBe(200);
  });
});
