import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, nothingOpen, rawChat, rawGet, rawPost, textOrBroken, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 1, requests_per_minute: 100, model_tokens_per_minute: 100000 }`;
const KEY = { authorization: 'Bearer sk-test-key' };
const ANTHROPIC = '{"model":"c","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Hi"}]}';

/** Whether the bytes of an answer show that it isn't whole: chunks without the last one, or less than its length. */
function looksBroken(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return true;
  const head = text.slice(0, end);
  const body = text.slice(end + 4);
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  if (length !== undefined) return body.length < Number(length);
  return /^transfer-encoding: chunked/im.test(head) && !body.endsWith('0\r\n\r\n');
}

describe('An upstream that breaks off in the middle of its answer', () => {
  const FAULTS = ['reset-midstream', 'reset-midbody'] as const;
  const CALLS = [
    ['a metered stream', rawChat({ stream: true })],
    ['a metered stream with its usage', rawChat({ stream: true, stream_options: { include_usage: true } })],
    ['a metered answer', rawChat()],
    ['an Anthropic stream', rawPost('/v1/messages', ANTHROPIC, ['anthropic-version: 2023-06-01'])],
    ['an unread GET', rawGet('/v1/models')],
    ['an unread POST', rawPost('/v1/responses/input_tokens', '{"input":"x"}')],
  ] as const;
  const CASES = CALLS.flatMap(([name, bytes]) => FAULTS.map((fault) => [name, fault, bytes] as const));

  it.each(CASES)('gives %s that visibly breaks: %s', async (_name, fault, bytes) => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.next(fault);
    const answer = await rawRequest(running.port, bytes);
    expect(answer.text).toMatch(/^HTTP\/1\.1 200/);
    expect(answer.text).not.toContain('upstream_');
    expect(answer.end).not.toBe('still open');
    expect(looksBroken(answer.text)).toBe(true);
    expect(running.simulator.hits()).toBe(1);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'request failed', status: 200 });
    await nothingOpen(running);
    expect((await running.chat()).status).toBe(200);
  });

  it('makes fetch reject', async () => {
    const running = await startWithSimulator(LIMITS);
    for (const stream of [true, false]) {
      running.simulator.faults.next('reset-midstream');
      const answer = await running.chat({ stream });
      expect(answer.status).toBe(200);
      expect(await textOrBroken(answer)).toBe('broken');
      await nothingOpen(running);
    }
    running.simulator.faults.next('reset-midbody');
    const list = await fetch(`${running.url}/v1/models`, { headers: KEY });
    expect(await textOrBroken(list)).toBe('broken');
    await nothingOpen(running);
  });

  it('charges the prompt and what was streamed, and frees the slot', async () => {
    const running = await startWithSimulator(LIMITS, { outputTokens: 500 });
    running.simulator.faults.next({ name: 'reset-midstream', afterChunks: 40 });
    const answer = await running.chat({ stream: true, max_tokens: 500 });
    expect(await textOrBroken(answer)).toBe('broken');
    const [line] = await requestLines(running, 1);
    const input = Number(line?.input_tokens);
    const output = Number(line?.output_tokens);
    expect(line?.usage_source).toBe('counted');
    expect(input).toBeGreaterThan(5);
    // Forty pieces of four characters went out; the reset may overtake the last of them.
    expect(output).toBeGreaterThan(10);
    expect(output).toBeLessThan(200);
    const used = await usedBy(running);
    expect(used.get('concurrent_requests')).toBe(0);
    expect(used.get('model_tokens_per_minute')).toBeGreaterThan(0);
    expect(used.get('model_tokens_per_minute')).toBeLessThanOrEqual(input + output);
    expect((await running.chat()).status).toBe(200);
  });

  it('passes the pieces that came before the break', async () => {
    const running = await startWithSimulator(LIMITS, { tokensPerSecond: 500 });
    running.simulator.faults.next({ name: 'reset-midstream', afterChunks: 8 });
    const { text } = await rawRequest(running.port, rawChat({ stream: true }));
    expect(text.match(/data: \{/g)?.length).toBeGreaterThanOrEqual(4);
    expect(text).not.toContain('[DONE]');
  });

  it('passes an error event of the upstream as it came, and a stream that lacks its [DONE]', async () => {
    const running = await startWithSimulator(LIMITS);
    for (const fault of ['error-midstream', 'no-done'] as const) {
      running.simulator.faults.next(fault);
      const direct = await fetch(`${running.simulator.url}/v1/chat/completions`, {
        method: 'POST',
        headers: KEY,
        body: '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}],"stream":true}',
      });
      const expected = await direct.text();
      running.simulator.faults.next(fault);
      expect(await (await running.chat({ stream: true })).text()).toBe(expected);
      await nothingOpen(running);
    }
  });
});
