import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ADMIN, jsonObject, lives, nothingOpen } from '../faults/wire.ts';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

/**
 * How long the slowest of the calls to /health took while the work was done. A busy machine may be late for its
 * own reasons: the tests that use it may try again.
 */
async function slowestHealth(running: { readonly url: string }, work: Promise<unknown>): Promise<number> {
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  let slowest = 0;
  while (!over) {
    const startedMs = performance.now();
    const answer = await fetch(`${running.url}/health`);
    await answer.text();
    slowest = Math.max(slowest, performance.now() - startedMs);
  }
  await done;
  return slowest;
}

describe('A hostile text', () => {
  it.each([
    ['a megabyte of one letter', 'a'.repeat(1_000_000)],
    ['a megabyte of spaces', ' '.repeat(1_000_000)],
    ['a megabyte of one emoji', '😀'.repeat(250_000)],
    ['a megabyte of line ends', '\n'.repeat(1_000_000)],
    ['a megabyte of digits', '7'.repeat(1_000_000)],
    ['a megabyte of apostrophes', "'".repeat(1_000_000)],
  ])('leaves /health answering within 250 ms: %s', { timeout: 20_000, retry: 2 }, async (_name, content) => {
    const running = await startWithSimulator(ADMIN);
    await (await running.chat()).text();
    const work = Promise.all(
      Array.from({ length: 4 }, async () => {
        const answer = await running.chat(
          { messages: [{ role: 'user', content }] },
          { 'x-simulate-fault': 'no-usage' },
        );
        expect(answer.status).toBe(200);
        await answer.text();
      }),
    );
    expect(await slowestHealth(running, work)).toBeLessThan(250);
    await nothingOpen(running);
  });

  it('in an answer without usage leaves /health answering within 250 ms', {
    timeout: 20_000,
    retry: 2,
  }, async () => {
    const running = await startWithSimulator(ADMIN);
    await (await running.chat()).text();
    const tokens = { 'x-simulate-tokens': '100000', 'x-simulate-fault': 'no-usage' };
    const work = Promise.all([
      running.chat({}, tokens).then((answer) => answer.text()),
      running
        .chat({ stream: true }, { ...tokens, 'x-simulate-tokens': '5000' })
        .then((answer) => answer.text()),
    ]);
    expect(await slowestHealth(running, work)).toBeLessThan(250);
    await nothingOpen(running);
  });
});

describe('A flood', () => {
  it('of refusals writes at most ten lines a second for each key and reason, and counts the rest', async () => {
    const running = await startWithSimulator(
      `${ADMIN}keys: [{ id: app, key: known-key-123456, limits: { requests_per_minute: 1 } }]`,
    );
    const startedMs = performance.now();
    for (let i = 0; i < 300; i++) {
      const key = i % 2 === 0 ? 'known-key-123456' : `unknown-${i}`;
      const answer = await running.chat({}, { authorization: `Bearer ${key}` });
      await answer.text();
    }
    const seconds = Math.ceil((performance.now() - startedMs) / 1000);
    await nothingOpen(running);
    const denied = running.log.filter(({ status }) => status === 429).length;
    const unknown = running.log.filter(({ status }) => status === 401).length;
    expect(denied).toBeLessThanOrEqual(10 * (seconds + 1));
    expect(unknown).toBeLessThanOrEqual(10 * (seconds + 1));
    expect(denied).toBeGreaterThan(0);
    await requestLines(running, 2);
  });

  it('of invented models and paths takes no record each', async () => {
    const running = await startWithSimulator(`${ADMIN}limits: { requests_per_minute: 100000 }`);
    for (let i = 0; i < 80; i++) {
      const answer = await running.chat({ model: `model-${i}-${'x'.repeat(100)}` });
      await answer.text();
      await (
        await fetch(`${running.url}/v1/path-${i}`, { headers: { authorization: 'Bearer sk-test-key' } })
      ).text();
    }
    await nothingOpen(running);
    const health = jsonObject(await (await fetch(`${running.gateway.adminUrl}/health`)).text());
    expect(health.limiter).toMatchObject({ reservations: 0 });
    expect(JSON.stringify(health.limiter)).toMatch(/"owners":[01],/);
  });

  it('of nonsense bytes ends nothing', async () => {
    const running = await startWithSimulator(ADMIN);
    let seed = 42;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed;
    };
    for (let round = 0; round < 60; round++) {
      const bytes = Uint8Array.from({ length: 1 + (random() % 400) }, () => random() % 256);
      await rawRequest(running.port, bytes, { withinMs: 30 });
    }
    expect(await lives(running)).toBe(true);
    expect(running.simulator.hits()).toBe(0);
    await nothingOpen(running);
  });

  it('of cut and bent requests ends nothing', async () => {
    const running = await startWithSimulator(ADMIN);
    const whole =
      'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nContent-Length: 37\r\nConnection: close\r\n\r\n{"model":"gpt-4o-mini","messages":[]}';
    let seed = 7;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed;
    };
    for (let round = 0; round < 150; round++) {
      const bytes = Buffer.from(whole);
      for (let i = 0; i <= random() % 3; i++) bytes[random() % bytes.length] = random() % 256;
      await rawRequest(running.port, bytes, { withinMs: 25 });
    }
    expect(await lives(running)).toBe(true);
    await nothingOpen(running);
    expect(running.logText()).not.toContain('internal_error');
  });
});
