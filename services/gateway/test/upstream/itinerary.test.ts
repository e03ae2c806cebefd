import { freePort } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { nothingOpen, usedBy } from '../faults/wire.ts';
import { requestLines } from '../running-gateway.ts';
import { LIMITS, sent, simulator, startFor } from './upstream-simulators.ts';

describe('A POST to several upstreams', () => {
  it.each(['error-429', 'error-500', 'error-529', 'reset-before', 'stall-before'] as const)(
    'is sent once where nothing else is configured: %s',
    async (fault) => {
      const [a, b] = [await simulator(), await simulator()];
      const running = await startFor(
        [
          `{ name: a, target_url: "${a.url}", keys: [k1, k2], fallback: b }`,
          `{ name: b, target_url: "${b.url}", keys: [k3] }`,
        ],
        `${LIMITS}timeouts: { first_byte: 2s }\n`,
      );
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

  it('costs what the fallback asks for its model', async () => {
    const b = await simulator();
    // By its address the first is a reseller's; nobody answers there.
    const running = await startFor([
      `{ name: a, target_url: "https://api.quicksilverpro.io.localhost:1", keys: [k1], fallback: b }`,
      `{ name: b, target_url: "${b.url}", keys: [k2] }`,
    ]);
    const answer = await running.chat({ model: 'claude-fable-5' });
    expect(answer.headers.get('x-nexus-upstream')).toBe('b');
    const { usage } = JSON.parse(await answer.text());
    // The maker's price; the reseller's is 8 and 40.
    const usd = (usage.prompt_tokens * 10 + usage.completion_tokens * 50) / 1e6;
    expect(Number(answer.headers.get('x-nexus-cost'))).toBeCloseTo(usd, 12);
    const [line] = await requestLines(running, 1);
    expect(line?.cost_usd).toBe(answer.headers.get('x-nexus-cost'));
  });

  it('holds what the dearest upstream asks that may answer', async () => {
    const b = await simulator();
    // 1,000 tokens cost $0.04 at the first and $0.05 at the second.
    const running = await startFor(
      [
        `{ name: a, target_url: "https://api.quicksilverpro.io.localhost:1", keys: [k1], fallback: b }`,
        `{ name: b, target_url: "${b.url}", keys: [k2] }`,
      ],
      'reserve: strict\nlimits: { usd_per_month: 0.045 }\n',
    );
    expect((await running.chat({ model: 'claude-fable-5', max_tokens: 1_000 })).status).toBe(429);
    expect((await running.chat({ model: 'claude-fable-5', max_tokens: 100 })).status).toBe(200);
    expect(b.hits()).toBe(1);
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
