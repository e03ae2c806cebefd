import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { CHAT_JSON, cutAt, feed } from './meter-run.ts';

const count = (text: string): number => countTokens(text, 'o200k_base');
const sum = (...texts: string[]): number => texts.reduce((total, text) => total + count(text), 0);
const chat = (content: string, more: object = {}): string =>
  JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content } }], ...more });

describe('a JSON answer with usage', () => {
  it('reports it, and gives every chunk itself', () => {
    const body = Buffer.from(chat('Hi', { usage: { prompt_tokens: 3, completion_tokens: 4 } }));
    const { meter, sent } = feed(CHAT_JSON, cutAt(body, [5, 40]));
    expect(meter.usage()).toMatchObject({ inputTokens: 3, outputTokens: 4, source: 'reported' });
    expect(sent.equals(body)).toBe(true);
    expect(meter.write(body)).toBe(body);
  });

  it('has ended when it has ended', () => {
    const { meter } = feed(CHAT_JSON, [chat('Hi')], false);
    expect(meter.finished).toBe(false);
    meter.end();
    expect(meter.finished).toBe(true);
  });

  it('believes a report of 0', () => {
    const { meter } = feed(CHAT_JSON, [chat('Hi', { usage: { prompt_tokens: 0, completion_tokens: 0 } })]);
    expect(meter.usage()).toMatchObject({ inputTokens: 0, outputTokens: 0, source: 'reported' });
  });

  it('finds the usage of 8 MB of embeddings without holding them', () => {
    const vector = JSON.stringify({
      object: 'embedding',
      embedding: Array.from({ length: 1_536 }, Math.random),
    });
    const data = Array.from({ length: 280 }, () => vector).join(',');
    const body = Buffer.from(
      `{"object":"list","data":[${data}],"usage":{"prompt_tokens":77,"total_tokens":77}}`,
    );
    expect(body.length).toBeGreaterThan(8_000_000);
    const places = Array.from({ length: 130 }, (_, index) => index * 65_521);
    const { meter } = feed({ ...CHAT_JSON, kind: 'embedding' }, cutAt(body, places));
    expect(meter.usage()).toMatchObject({ inputTokens: 77, outputTokens: 0, source: 'reported' });
  });

  it('finds the usage of a large chat answer, in one chunk or many', () => {
    const body = Buffer.from(
      chat('x'.repeat(2_000_000), { usage: { prompt_tokens: 3, completion_tokens: 4 } }),
    );
    for (const places of [[], [100_000, 300_000, 1_999_999, body.length - 20]]) {
      expect(feed(CHAT_JSON, cutAt(body, places)).meter.usage()).toMatchObject({
        inputTokens: 3,
        outputTokens: 4,
        source: 'reported',
      });
    }
  });

  it('reads it although the body broke off behind it', () => {
    const body = '{"usage":{"prompt_tokens":3,"completion_tokens":4},"choices":[{"mess';
    expect(feed(CHAT_JSON, [body], false).meter.usage()).toMatchObject({
      outputTokens: 4,
      source: 'reported',
    });
  });

  it('reads it in transcriptions and images', () => {
    const body = JSON.stringify({
      data: [{ b64_json: 'A'.repeat(500_000) }],
      usage: { input_tokens: 9, output_tokens: 7 },
    });
    const { meter } = feed(
      { ...CHAT_JSON, kind: 'other', inputTokens: 0 },
      cutAt(Buffer.from(body), [99_999]),
    );
    expect(meter.usage()).toMatchObject({ inputTokens: 9, outputTokens: 7, source: 'reported' });
  });
});

describe('a JSON answer without usage', () => {
  it('counts the text of chat, tool calls and completions', () => {
    const message = {
      content: 'some words',
      reasoning_content: 'a thought',
      refusal: null,
      tool_calls: [{ id: 'call_1', function: { name: 'find', arguments: '{"a":1}' } }],
    };
    const body = JSON.stringify({
      choices: [
        { index: 0, message },
        { index: 1, text: 'a completion' },
      ],
      usage: null,
    });
    expect(feed(CHAT_JSON, [body]).meter.usage()).toEqual({
      inputTokens: 11,
      outputTokens: sum('some words', 'a thought', 'find', '{"a":1}', 'a completion'),
      cachedInputTokens: 0,
      reasoningTokens: 0,
      source: 'counted',
    });
  });

  it('counts the items of a response and the blocks of a message', () => {
    const output = [
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'a summary' }] },
      {
        type: 'message',
        content: [
          { type: 'output_text', text: 'some words' },
          { type: 'refusal', refusal: 'no' },
        ],
      },
      { type: 'function_call', name: 'find', arguments: '{"a":1}' },
    ];
    const response = feed({ ...CHAT_JSON, kind: 'response' }, [JSON.stringify({ output })]);
    expect(response.meter.usage().outputTokens).toBe(sum('a summary', 'some words', 'no', 'find', '{"a":1}'));
    const content = [
      { type: 'thinking', thinking: 'a thought' },
      { type: 'text', text: 'some words' },
      { type: 'tool_use', name: 'find', input: { a: 1 } },
    ];
    const message = feed({ ...CHAT_JSON, kind: 'message' }, [JSON.stringify({ content })]);
    expect(message.meter.usage().outputTokens).toBe(sum('a thought', 'some words', 'find', '{"a":1}'));
  });

  it('counts the side that is missing', () => {
    const { meter } = feed(CHAT_JSON, [chat('some words', { usage: { prompt_tokens: 3 } })]);
    expect(meter.usage()).toMatchObject({ inputTokens: 3, outputTokens: 2, source: 'counted' });
  });

  it('estimates a large text first and counts it in turns until it is settled', async () => {
    const text = 'the quick brown fox jumps over it '.repeat(10_000);
    const { meter } = feed(CHAT_JSON, cutAt(Buffer.from(chat(text)), [200_000]));
    expect(meter.usage()).toMatchObject({ outputTokens: Math.ceil(text.length / 4), source: 'estimated' });
    await meter.settled();
    expect(meter.usage()).toMatchObject({ outputTokens: count(text), source: 'counted' });
  });

  it('estimates by size what it cannot read', async () => {
    const large = chat('some words '.repeat(200_000));
    for (const body of [
      large,
      '<html>busy</html>',
      '{"choices":[{"message":{"content":"broken o',
      '[1,2]',
      'data: {"x":1}\n\n',
    ]) {
      const { meter } = feed(CHAT_JSON, cutAt(Buffer.from(body), [10, 300_000]));
      await meter.settled();
      expect(meter.usage()).toMatchObject({ outputTokens: Math.ceil(body.length / 4), source: 'estimated' });
    }
  });

  it('has no output for embeddings', () => {
    const { meter } = feed({ ...CHAT_JSON, kind: 'embedding' }, ['{"data":[{"embedding":[1,2,3]}]}']);
    expect(meter.usage()).toMatchObject({ inputTokens: 11, outputTokens: 0, source: 'counted' });
  });

  it('survives a tool input nested too deep to write', () => {
    const depth = 50_000;
    const body = `{"content":[{"name":"x","input":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}]}`;
    const { meter } = feed({ ...CHAT_JSON, kind: 'message' }, [body]);
    expect(meter.usage().outputTokens).toBeGreaterThan(0);
  });
});
