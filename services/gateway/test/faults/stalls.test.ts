import { until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, errorIn, nothingOpen, textOrBroken, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, requests_per_minute: 100, model_tokens_per_minute: 100000 }`;
const KEY = { authorization: 'Bearer sk-test-key' };

describe('An upstream that stalls', () => {
  it('before its first byte is a 504 that forbids another try, and charges the prompt', async () => {
    const running = await startWithSimulator(`${LIMITS}\ntimeouts: { first_byte: 300ms }`);
    running.simulator.faults.next('stall-before');
    const startedMs = performance.now();
    const answer = await running.chat();
    expect(answer.status).toBe(504);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(errorIn(await answer.text()).code).toBe('upstream_timeout');
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ status: 504, message: 'request failed', output_tokens: 0 });
    expect(Number(line?.input_tokens)).toBeGreaterThan(5);
    await nothingOpen(running);
    await until(() => running.simulator.requests[0]?.aborted === true);
    expect((await running.chat()).status).toBe(200);
  });

  it.each([
    ['GET', '/v1/models'],
    ['POST', '/v1/responses/input_tokens'],
  ])('before its first byte is a 504 for an unread %s', async (method, path) => {
    const running = await startWithSimulator(`${LIMITS}\ntimeouts: { first_byte: 300ms }`);
    running.simulator.faults.next('stall-before');
    const body = method === 'POST' ? { body: '{"input":"x"}' } : {};
    const answer = await fetch(`${running.url}${path}`, { method, headers: KEY, ...body });
    expect(answer.status).toBe(504);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(errorIn(await answer.text()).code).toBe('upstream_timeout');
    expect(running.simulator.hits()).toBe(1);
    await nothingOpen(running);
  });

  it('and only slowly begins is waited for as long as the setting says', async () => {
    const running = await startWithSimulator(`${LIMITS}\ntimeouts: { first_byte: 5s, idle: 200ms }`);
    for (const call of [running.chat({}, { 'x-simulate-latency-ms': '600' }), undefined]) {
      const answer =
        (await call) ??
        (await fetch(`${running.url}/v1/models`, { headers: { ...KEY, 'x-simulate-latency-ms': '600' } }));
      expect(answer.status).toBe(200);
      await answer.text();
      await nothingOpen(running);
    }
  });

  it.each(['stall-midstream', 'stall-heartbeat'] as const)(
    'in the middle of a stream breaks it off once the idle time is over: %s',
    async (fault) => {
      const running = await startWithSimulator(`${LIMITS}\ntimeouts: { idle: 300ms }`);
      running.simulator.faults.next({ name: fault, afterChunks: 5 });
      const startedMs = performance.now();
      const answer = await running.chat({ stream: true });
      expect(answer.status).toBe(200);
      expect(await textOrBroken(answer)).toBe('broken');
      expect(performance.now() - startedMs).toBeLessThan(10_000);
      const [line] = await requestLines(running, 1);
      expect(line).toMatchObject({ message: 'request failed', usage_source: 'counted' });
      expect(Number(line?.input_tokens)).toBeGreaterThan(5);
      expect(Number(line?.output_tokens)).toBeGreaterThan(0);
      await nothingOpen(running);
      await until(() => running.simulator.requests[0]?.aborted === true);
      expect((await usedBy(running)).get('concurrent_requests')).toBe(0);
    },
  );

  it.each(['POST /v1/chat/completions', 'GET /v1/models', 'POST /v1/responses/input_tokens'])(
    'in the middle of a body breaks it off once the idle time is over: %s',
    async (target) => {
      const [method = '', path = ''] = target.split(' ');
      const running = await startWithSimulator(`${LIMITS}\ntimeouts: { idle: 300ms, first_byte: 5s }`);
      running.simulator.faults.next('stall-midstream');
      const body = method === 'POST' ? { body: '{"model":"gpt-4o-mini","messages":[],"input":"x"}' } : {};
      const answer = await fetch(`${running.url}${path}`, {
        method,
        headers: KEY,
        ...body,
        signal: AbortSignal.timeout(3_000),
      });
      expect(answer.status).toBe(200);
      const outcome = await answer.text().catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(Error);
      expect(outcome).not.toMatchObject({ name: 'TimeoutError' });
      await nothingOpen(running);
    },
  );

  it('now and then, but never for as long as the idle time, is not broken off', async () => {
    const running = await startWithSimulator(`${LIMITS}\ntimeouts: { idle: 400ms }`);
    const answer = await running.chat(
      { stream: true },
      { 'x-simulate-tokens-per-second': '8', 'x-simulate-tokens': '8' },
    );
    expect(await answer.text()).toContain('[DONE]');
    await nothingOpen(running);
  });
});
