import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../src/index.ts';
import { at, chat, eventsOf, jsonOf, post, STREAM_WITH_USAGE, usageOf } from './wire.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

const stream = async (path: string, body: string, headers: Record<string, string> = {}) => {
  const response = await post(simulator.url, path, body, headers);
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  return response.text();
};

describe('streams of chat completions', () => {
  it('tell the same text and usage as the unstreamed answer', async () => {
    const whole = await jsonOf(await post(simulator.url, '/v1/chat/completions', chat()));
    const events = eventsOf(await stream('/v1/chat/completions', chat(STREAM_WITH_USAGE)));
    expect(events.pop()).toBe('[DONE]');
    const last = events.pop();
    expect(at(last, 'choices')).toEqual([]);
    expect(usageOf(last)).toEqual(whole.usage);
    expect(events.every((event) => at(event, 'usage') === null)).toBe(true);
    const text = events.map((event) => at(event, 'choices', 0, 'delta', 'content') ?? '').join('');
    expect(text).toBe(at(whole, 'choices', 0, 'message', 'content'));
    expect(at(events.at(-1), 'choices', 0, 'finish_reason')).toBe('stop');
  });

  it('hold no usage at all unless it was asked for', async () => {
    const text = await stream('/v1/chat/completions', chat({ stream: true }));
    expect(text).not.toContain('usage');
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
  });

  it('tell n choices in turn', async () => {
    const events = eventsOf(
      await stream('/v1/chat/completions', chat({ ...STREAM_WITH_USAGE, n: 2, max_tokens: 2 })),
    );
    const indexes = events.slice(0, -2).map((event) => at(event, 'choices', 0, 'index'));
    expect(indexes).toEqual([0, 1, 0, 1, 0, 1, 0, 1]);
    expect(at(events.at(-2), 'usage', 'completion_tokens')).toBe(4);
  });

  it('tell the arguments of a tool call in pieces', async () => {
    const tools = [{ type: 'function', function: { name: 'find' } }];
    const body = chat({ stream: true, tools, tool_choice: 'required' });
    const events = eventsOf(await stream('/v1/chat/completions', body)).slice(0, -1);
    const given = events
      .map((event) => at(event, 'choices', 0, 'delta'))
      .map((delta) =>
        at(delta, 'tool_calls') === undefined ? '' : at(delta, 'tool_calls', 0, 'function', 'arguments'),
      );
    expect(JSON.parse(given.join(''))).toHaveProperty('query');
    expect(given.length).toBe(18);
  });

  it('come token by token at the pace that was asked for', async () => {
    const startedMs = performance.now();
    const steer = {
      'x-simulate-tokens-per-second': '100',
      'x-simulate-tokens': '21',
      'x-simulate-first-byte-ms': '50',
    };
    const response = await post(simulator.url, '/v1/chat/completions', chat({ stream: true }), steer);
    const reader = response.body?.getReader();
    let reads = 0;
    while (reader !== undefined && !(await reader.read()).done) reads++;
    // 50 ms, then the 21st token 200 ms after the first.
    expect(performance.now() - startedMs).toBeGreaterThan(245);
    expect(reads).toBeGreaterThan(10);
  });

  it('stop at once when the client leaves, and are recorded as aborted', async () => {
    const own = await startSimulator();
    await new Promise<void>((resolve) => {
      const call = request(`${own.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'x-simulate-tokens': '1000000' },
      });
      call.on('response', (res) => {
        res.once('data', () => call.destroy());
        res.on('error', () => undefined);
      });
      call.on('close', () => resolve());
      call.end(chat({ stream: true }));
    });
    await expect.poll(() => own.requests.at(-1)?.aborted).toBe(true);
    const told = own.usageServed().completionTokens;
    expect(told).toBeLessThan(1_000_000);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(own.usageServed().completionTokens).toBe(told);
    await own.close();
  });

  it('wait for a slow reader instead of filling memory', async () => {
    const own = await startSimulator();
    const call = request(`${own.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'x-simulate-tokens': '1000000' },
    });
    call.on('error', () => undefined);
    call.end(chat({ stream: true }));
    const res = await new Promise<{ pause(): void }>((resolve) => call.once('response', resolve));
    res.pause();
    let before = -1;
    await expect
      .poll(
        () => {
          const told = own.usageServed().completionTokens;
          const stands = told === before;
          before = told;
          return stands;
        },
        { interval: 300, timeout: 15_000 },
      )
      .toBe(true);
    expect(before).toBeLessThan(100_000);
    call.destroy();
    await own.close();
  });
});

describe('streams of the other calls', () => {
  it('of responses are numbered and end in response.completed with the usage', async () => {
    const text = await stream('/v1/responses', JSON.stringify({ model: 'o3', input: 'Hello', stream: true }));
    const events = eventsOf(text);
    expect(events.map((event) => at(event, 'sequence_number'))).toEqual(events.map((_, i) => i));
    expect(events.map((event) => at(event, 'type')).slice(0, 5)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
    ]);
    expect(at(events.at(-1), 'type')).toBe('response.completed');
    expect(at(events.at(-1), 'response', 'usage')).toMatchObject({ input_tokens: 8, output_tokens: 16 });
    expect(text.match(/^event: (.*)$/gm)).toHaveLength(events.length);
  });

  it('of messages tell the prompt first and the answer last', async () => {
    const body = JSON.stringify({
      model: 'claude',
      max_tokens: 3,
      stream: true,
      messages: [{ role: 'user', content: 'Hello' }],
    });
    const text = await stream('/v1/messages', body, {
      'anthropic-version': '2023-06-01',
      'x-simulate-cached-tokens': '6',
    });
    const events = eventsOf(text);
    expect(events.map((event) => at(event, 'type'))).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(at(events[0], 'message', 'usage')).toMatchObject({ input_tokens: 2, cache_read_input_tokens: 6 });
    expect(events[7]).toMatchObject({ delta: { stop_reason: 'max_tokens' }, usage: { output_tokens: 3 } });
  });

  it('of completions have text and, asked for, usage', async () => {
    const body = { model: 'm', prompt: 'abcd', max_tokens: 2, ...STREAM_WITH_USAGE };
    const events = eventsOf(await stream('/v1/completions', JSON.stringify(body)));
    expect(events.slice(0, 2).map((event) => String(at(event, 'choices', 0, 'text')).length)).toEqual([4, 4]);
    expect(at(events.at(-2), 'usage')).toEqual({ prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 });
  });
});

describe('the sums served', () => {
  it('are those of all usages that were told', async () => {
    const own = await startSimulator();
    await (await post(own.url, '/v1/chat/completions', chat())).text();
    await (await post(own.url, '/v1/chat/completions', chat(STREAM_WITH_USAGE))).text();
    await (await post(own.url, '/v1/chat/completions', chat({ stream: true }))).text();
    await (await post(own.url, '/v1/chat/completions', 'nonsense')).text();
    expect(own.usageServed()).toEqual({
      answers: 3,
      promptTokens: 24,
      completionTokens: 48,
      reportedPromptTokens: 16,
      reportedCompletionTokens: 32,
    });
    expect(own.hits()).toBe(4);
    await own.close();
  });
});
