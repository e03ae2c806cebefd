import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, nothingOpen } from './wire.ts';

const LIMITS = `${ADMIN}limits: { model_tokens_per_minute: 100000 }`;
const ASK = { stream: true, stream_options: { include_usage: true } };

/** Calls until a prompt was counted: on a busy machine those that come before the tokenizer is ready are estimated. How many it took. */
async function callsUntilCounted(running: Awaited<ReturnType<typeof startWithSimulator>>): Promise<number> {
  running.simulator.faults.always('no-usage');
  for (let calls = 1; ; calls += 1) {
    await (await running.chat()).text();
    const lines = await requestLines(running, calls);
    if (lines.at(-1)?.usage_source === 'counted') return calls;
  }
}

describe('The usage that an upstream tells', () => {
  it.each([
    ['missing', 'no-usage', 'counted'],
    ['given twice', 'usage-twice', 'reported'],
    ['given after [DONE]', 'usage-after-done', 'reported'],
    ['negative', 'usage-negative', undefined],
    ['NaN', 'usage-nan', undefined],
    ['infinite', 'usage-infinite', undefined],
    ['a text', 'usage-text', undefined],
  ] as const)(
    'may be %s: the bytes pass untouched, and what is settled is finite',
    async (_name, fault, source) => {
      const running = await startWithSimulator(LIMITS);
      const before = await callsUntilCounted(running);
      for (const body of [{}, ASK]) {
        running.simulator.faults.always(fault);
        const direct = await fetch(`${running.simulator.url}/v1/chat/completions`, {
          method: 'POST',
          body: JSON.stringify({
            model: 'gpt-4o-mini',
            messages: [{ role: 'user', content: 'Hello' }],
            ...body,
          }),
        });
        const through = await running.chat(body);
        expect(await through.text()).toBe(await direct.text());
        await nothingOpen(running);
      }
      for (const line of (await requestLines(running, before + 2)).slice(before)) {
        const { input_tokens: input, output_tokens: output, usage_source } = line;
        expect(Number.isInteger(input) && Number(input) >= 0).toBe(true);
        expect(Number.isInteger(output) && Number(output) >= 0 && Number(output) < 1_000).toBe(true);
        if (source !== undefined) expect(usage_source).toBe(source);
        if (source === 'reported') expect(output).toBe(16);
        else expect(Number(input)).toBeGreaterThan(0);
      }
    },
  );

  it('may be missing from an unread answer, which then costs its request alone', async () => {
    const running = await startWithSimulator(LIMITS);
    const answer = await fetch(`${running.url}/v1/responses/input_tokens`, {
      method: 'POST',
      headers: { authorization: 'Bearer k' },
      body: '{"input":"x"}',
    });
    expect(answer.status).toBe(200);
    await answer.text();
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ input_tokens: 0, output_tokens: 0 });
  });

  it('is settled for images, whose JSON answer has one', async () => {
    const running = await startWithSimulator(LIMITS);
    const answer = await fetch(`${running.url}/v1/images/generations`, {
      method: 'POST',
      headers: { authorization: 'Bearer k' },
      body: '{"model":"gpt-image-1","prompt":"A red fox in the snow","n":2}',
    });
    expect(answer.status).toBe(200);
    const { usage } = JSON.parse(await answer.text());
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({
      input_tokens: usage.input_tokens,
      output_tokens: usage.output_tokens,
      usage_source: 'reported',
    });
    expect(usage.output_tokens).toBe(544);
  });
});
