import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { CHAT_STREAM, cutAt, delta, events, feed, usageChunk } from './meter-run.ts';

const count = (text: string): number => countTokens(text, 'o200k_base');

describe('a stream with usage', () => {
  it('reports the usage chunk, with cached and reasoning tokens', () => {
    const last = {
      choices: [],
      usage: {
        prompt_tokens: 30,
        completion_tokens: 20,
        prompt_tokens_details: { cached_tokens: 16 },
        completion_tokens_details: { reasoning_tokens: 8 },
      },
    };
    const { meter } = feed(CHAT_STREAM, [events(delta('Hello'), delta(' you'), last, '[DONE]')]);
    expect(meter.usage()).toEqual({
      inputTokens: 30,
      outputTokens: 20,
      cachedInputTokens: 16,
      reasoningTokens: 8,
      source: 'reported',
    });
    expect(meter.finished).toBe(true);
  });

  it('counts a usage once that comes twice, and the last one if they differ', () => {
    expect(feed(CHAT_STREAM, [events(usageChunk(3, 4), usageChunk(3, 4))]).meter.usage()).toMatchObject({
      inputTokens: 3,
      outputTokens: 4,
    });
    expect(feed(CHAT_STREAM, [events(usageChunk(3, 4), usageChunk(3, 9))]).meter.usage().outputTokens).toBe(
      9,
    );
  });

  it('reads a usage that comes after [DONE]', () => {
    const { meter } = feed(CHAT_STREAM, [events(delta('Hello'), '[DONE]', usageChunk(3, 4))]);
    expect(meter.usage()).toMatchObject({ inputTokens: 3, outputTokens: 4, source: 'reported' });
  });

  it('believes a report of 0', () => {
    const { meter } = feed(CHAT_STREAM, [events(delta('Hello'), usageChunk(0, 0), '[DONE]')]);
    expect(meter.usage()).toMatchObject({ inputTokens: 0, outputTokens: 0, source: 'reported' });
  });

  it('ignores nonsense in a report and keeps the last good one', () => {
    const nonsense = { choices: [], usage: { prompt_tokens: -1, completion_tokens: 'many' } };
    const { meter } = feed(CHAT_STREAM, [events(delta('Hello'), usageChunk(3, 4), nonsense)]);
    expect(meter.usage()).toMatchObject({ inputTokens: 3, outputTokens: 4, source: 'reported' });
    const nan = 'data: {"choices":[],"usage":{"prompt_tokens":NaN,"completion_tokens":4}}\n\n';
    expect(feed(CHAT_STREAM, [events(delta('Hello')), nan]).meter.usage()).toMatchObject({
      inputTokens: 11,
      outputTokens: count('Hello'),
      source: 'counted',
    });
  });

  it('reads usage that rides on a chunk with choices', () => {
    const riding = delta(' you', { usage: { prompt_tokens: 5, completion_tokens: 2 } });
    const { meter } = feed(CHAT_STREAM, [events(delta('Hello'), riding, '[DONE]')]);
    expect(meter.usage()).toMatchObject({ inputTokens: 5, outputTokens: 2, source: 'reported' });
  });

  it('adds the text since the last report when a stream with running usage breaks off', () => {
    const riding = delta('Hello', { usage: { prompt_tokens: 5, completion_tokens: 1 } });
    const { meter } = feed(CHAT_STREAM, [events(riding, delta(' dear world'))], false);
    expect(meter.usage()).toMatchObject({
      inputTokens: 5,
      outputTokens: 1 + count(' dear world'),
      source: 'counted',
    });
  });

  it('reads the terminal events of the Responses API', () => {
    for (const type of ['response.completed', 'response.incomplete', 'response.failed']) {
      const terminal = { type, response: { usage: { input_tokens: 8, output_tokens: 3 } } };
      const stream = events({ type: 'response.created', response: { usage: null } }, terminal);
      const { meter } = feed({ ...CHAT_STREAM, kind: 'response' }, [stream]);
      expect(meter.usage()).toMatchObject({ inputTokens: 8, outputTokens: 3, source: 'reported' });
      expect(meter.finished).toBe(true);
    }
  });

  it('reads a terminal event of several MB, cut anywhere, without holding it', () => {
    const output = Array.from({ length: 4 }, () => ({ content: [{ text: 'x "usage":{} '.repeat(60_000) }] }));
    const terminal = {
      type: 'response.completed',
      response: { output, usage: { input_tokens: 8, output_tokens: 3 } },
    };
    const bytes = Buffer.from(`event: response.completed\n${events(terminal)}data: [DONE]\n\n`);
    expect(bytes.length).toBeGreaterThan(3_000_000);
    for (const pieces of [[bytes], cutAt(bytes, [10, 1_000, 70_000, 2_000_000, bytes.length - 30])]) {
      const { meter, sent } = feed({ ...CHAT_STREAM, kind: 'response' }, pieces);
      expect(meter.usage()).toMatchObject({ inputTokens: 8, outputTokens: 3, source: 'reported' });
      expect(sent.equals(bytes)).toBe(true);
    }
  });

  it('reads usage in any stream of an unmetered call, and nothing else', () => {
    const options = { ...CHAT_STREAM, kind: 'other', inputTokens: 0 } as const;
    const done = { type: 'transcript.text.done', text: 'hi', usage: { input_tokens: 9, output_tokens: 2 } };
    expect(
      feed(options, [events({ type: 'transcript.text.delta', delta: 'hi' }, done)]).meter.usage(),
    ).toMatchObject({
      inputTokens: 9,
      outputTokens: 2,
      source: 'reported',
    });
    expect(feed(options, [events(delta('Hello'))]).meter.usage().source).toBe('none');
  });
});

describe("Anthropic's stream", () => {
  const MESSAGE = { ...CHAT_STREAM, kind: 'message', model: 'claude-sonnet-4-5' } as const;
  const start = {
    type: 'message_start',
    message: {
      usage: {
        input_tokens: 10,
        cache_creation_input_tokens: 5,
        cache_read_input_tokens: 100,
        output_tokens: 2,
      },
    },
  };
  const text = (value: string): object => ({
    type: 'content_block_delta',
    index: 0,
    delta: { type: 'text_delta', text: value },
  });

  it('joins the input of message_start and the output of the last message_delta', () => {
    const { meter } = feed(MESSAGE, [
      events(
        start,
        text('Hello'),
        { type: 'message_delta', usage: { output_tokens: 7 } },
        { type: 'message_delta', usage: { output_tokens: 15 } },
        { type: 'message_stop' },
      ),
    ]);
    expect(meter.usage()).toEqual({
      inputTokens: 115,
      outputTokens: 15,
      cachedInputTokens: 100,
      reasoningTokens: 0,
      inputParts: expect.objectContaining({ cacheWriteTokens: 5, cacheWrite1hTokens: 0 }),
      source: 'reported',
    });
    expect(meter.finished).toBe(true);
  });

  it('keeps what message_start told of the cache where message_delta repeats the input without it', () => {
    const written = {
      type: 'message_start',
      message: {
        usage: {
          input_tokens: 10,
          cache_creation_input_tokens: 90,
          cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 90 },
          output_tokens: 1,
        },
      },
    };
    const usage = { input_tokens: 10, cache_creation_input_tokens: 90, output_tokens: 7 };
    const delta = { type: 'message_delta', usage: { ...usage, server_tool_use: { web_search_requests: 1 } } };
    expect(feed(MESSAGE, [events(written, delta, { type: 'message_stop' })]).meter.usage()).toMatchObject({
      inputTokens: 100,
      outputTokens: 7,
      inputParts: { cacheWriteTokens: 90, cacheWrite1hTokens: 90 },
      outputParts: { webSearches: 1 },
    });
  });

  it('takes the input of message_delta only where it says more', () => {
    const less = { type: 'message_delta', usage: { input_tokens: 0, output_tokens: 7 } };
    expect(feed(MESSAGE, [events(start, less)]).meter.usage()).toMatchObject({
      inputTokens: 115,
      cachedInputTokens: 100,
    });
    const more = {
      type: 'message_delta',
      usage: { input_tokens: 400, cache_read_input_tokens: 7, output_tokens: 7 },
    };
    expect(feed(MESSAGE, [events(start, more)]).meter.usage()).toMatchObject({
      inputTokens: 407,
      cachedInputTokens: 7,
    });
  });

  it('keeps the reported input and counts text, thinking and tool input when it breaks off', () => {
    const block = (index: number, delta: object): object => ({ type: 'content_block_delta', index, delta });
    const { meter } = feed(
      MESSAGE,
      [
        events(
          start,
          { type: 'ping' },
          block(0, { type: 'thinking_delta', thinking: 'let me think' }),
          text(' about it'),
          {
            type: 'content_block_start',
            index: 1,
            content_block: { type: 'tool_use', name: 'lookup', input: {} },
          },
          block(1, { type: 'input_json_delta', partial_json: '{"city":' }),
          block(1, { type: 'input_json_delta', partial_json: '"Paris"}' }),
        ),
      ],
      false,
    );
    expect(meter.usage()).toMatchObject({
      inputTokens: 115,
      outputTokens: count('let me think about it') + count('lookup{"city":"Paris"}'),
      cachedInputTokens: 100,
      source: 'counted',
    });
    expect(meter.finished).toBe(false);
  });
});

describe('a stream without usage', () => {
  it('counts what was streamed, and takes the prompt for what it was estimated at', () => {
    const { meter } = feed(CHAT_STREAM, [events(delta('Hello'), delta(' dear'), delta(' world'), '[DONE]')]);
    expect(meter.usage()).toEqual({
      inputTokens: 11,
      outputTokens: count('Hello dear world'),
      cachedInputTokens: 0,
      reasoningTokens: 0,
      source: 'counted',
    });
  });

  it('is as good as its worse side', () => {
    const { meter } = feed({ ...CHAT_STREAM, inputSource: 'estimated' }, [events(delta('Hello'))]);
    expect(meter.usage().source).toBe('estimated');
  });

  it('counts every kind of text of every choice', () => {
    const choice = (index: number, one: object): object => ({ choices: [{ index, delta: one }] });
    const { meter } = feed(CHAT_STREAM, [
      events(
        choice(0, { role: 'assistant', content: 'one unbel' }),
        choice(1, { content: 'five six' }),
        choice(0, { content: 'ievable' }),
        choice(0, { reasoning_content: 'because of', reasoning: 'because of' }),
        choice(0, { refusal: 'I will not' }),
        choice(0, { tool_calls: [{ index: 0, function: { name: 'find', arguments: '' } }] }),
        choice(0, { tool_calls: [{ index: 0, function: { arguments: '{"a":1}' } }] }),
        choice(0, { function_call: { name: 'old', arguments: '{}' } }),
        choice(1, { content: [{ type: 'text', text: ' seven' }] }),
      ),
    ]);
    const texts = ['one unbelievable', 'five six seven', 'because of', 'I will not', 'find{"a":1}', 'old{}'];
    expect(meter.usage().outputTokens).toBe(texts.reduce((sum, one) => sum + count(one), 0));
  });

  it('counts completions and the deltas of responses, but no audio', () => {
    const completion = feed({ ...CHAT_STREAM, kind: 'completion' }, [
      events({ choices: [{ index: 0, text: 'Once upon' }] }, { choices: [{ index: 0, text: ' a time' }] }),
    ]);
    expect(completion.meter.usage().outputTokens).toBe(count('Once upon a time'));
    const typed = (type: string, one: string): object => ({ type, output_index: 0, delta: one });
    const response = feed({ ...CHAT_STREAM, kind: 'response' }, [
      events(
        typed('response.output_text.delta', 'Once upon'),
        typed('response.function_call_arguments.delta', ' a time'),
        typed('response.audio.delta', 'UklGRg'),
        typed('response.output_audio.delta', 'UklGRg'),
      ),
    ]);
    expect(response.meter.usage().outputTokens).toBe(count('Once upon a time'));
  });

  it('estimates a single delta too large to parse', () => {
    const bytes = Buffer.from(events(delta('word '.repeat(100_000))));
    for (const pieces of [[bytes], cutAt(bytes, [200_000, 400_000])]) {
      const { meter } = feed(CHAT_STREAM, pieces, false);
      expect(meter.usage()).toMatchObject({ outputTokens: Math.ceil(bytes.length / 4), source: 'estimated' });
    }
    const image = {
      type: 'response.image_generation_call.partial_image',
      partial_image_b64: 'A'.repeat(400_000),
    };
    expect(feed({ ...CHAT_STREAM, kind: 'response' }, [events(image)]).meter.usage().outputTokens).toBe(0);
  });

  it('tells a rough output while it runs', () => {
    const { meter } = feed(CHAT_STREAM, [events(...Array.from({ length: 50 }, () => delta('word')))], false);
    expect(meter.outputTokensSoFar()).toBe(50);
  });

  it('counts an event that was whole but for its blank line', () => {
    expect(
      feed(CHAT_STREAM, [
        'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}',
      ]).meter.usage(),
    ).toMatchObject({ outputTokens: 4, source: 'reported' });
  });
});
