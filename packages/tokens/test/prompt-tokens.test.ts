import { describe, expect, it } from 'vitest';
import type { CallKind } from '../src/call-kind.ts';
import { countTokens } from '../src/count.ts';
import { readCall } from '../src/read-call.ts';

function read(kind: CallKind, call: object) {
  return readCall(kind, Buffer.from(JSON.stringify(call)), 1e6);
}

const tokens = (text: string) => countTokens(text, 'o200k_base');
/** Some 100,000 characters that look like a picture. */
const PICTURE = `data:image/png;base64,${Buffer.alloc(75_000, 'nexus').toString('base64')}`;

describe('the tokens of a chat call', () => {
  it("are those of OpenAI's cookbook example", () => {
    // OpenAI cookbook, "How to count tokens with tiktoken": the API counts 129 for gpt-4-0613 and 124 for gpt-4o.
    const messages = [
      [
        'system',
        'You are a helpful, pattern-following assistant that translates corporate jargon into plain English.',
      ],
      ['system', 'New synergies will help drive top-line growth.', 'example_user'],
      ['system', 'Things working well together will increase revenue.', 'example_assistant'],
      [
        'system',
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
        'example_user',
      ],
      ['system', "Let's talk later when we're less busy about how to do better.", 'example_assistant'],
      ['user', "This late pivot means we don't have time to boil the ocean for the client deliverable."],
    ].map(([role, content, name]) => ({ role, ...(name !== undefined && { name }), content }));
    expect(read('chat', { model: 'gpt-4-0613', messages }).inputTokens).toBe(129);
    expect(read('chat', { model: 'gpt-4o', messages }).inputTokens).toBe(124);
  });

  it('hold the text of parts, and an image by its detail, not by its bytes', () => {
    const withParts = (...content: object[]) => read('chat', { messages: [{ role: 'user', content }] });
    expect(withParts({ type: 'text', text: 'Hello, world!' })).toMatchObject({
      inputTokens: 11,
      inputSource: 'counted',
    });
    expect(withParts({ type: 'image_url', image_url: { url: PICTURE, detail: 'low' } })).toMatchObject({
      inputTokens: 7 + 85,
      inputSource: 'estimated',
    });
    expect(withParts({ type: 'image_url', image_url: { url: PICTURE } }).inputTokens).toBe(7 + 765);
  });

  it('hold ten tokens for a second of sound', () => {
    const data = Buffer.alloc(320_000).toString('base64');
    const call = { messages: [{ content: [{ type: 'input_audio', input_audio: { data, format: 'wav' } }] }] };
    expect(read('chat', call).inputTokens).toBeGreaterThanOrEqual(7 + 100);
    expect(read('chat', call).inputTokens).toBeLessThanOrEqual(7 + 101);
  });

  it('grow with tools, functions, schemas and calls of tools', () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const bare = read('chat', { messages }).inputTokens;
    const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];
    expect(read('chat', { messages, tools }).inputTokens).toBe(bare + tokens(JSON.stringify(tools)));
    expect(read('chat', { messages, functions: tools }).inputTokens).toBe(
      bare + tokens(JSON.stringify(tools)),
    );
    const json_schema = { name: 'answer', schema: { type: 'string' } };
    expect(
      read('chat', { messages, response_format: { type: 'json_schema', json_schema } }).inputTokens,
    ).toBe(bare + tokens(JSON.stringify(json_schema)));
    const tool_calls = [
      { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
    ];
    expect(read('chat', { messages: [...messages, { role: 'assistant', tool_calls }] }).inputTokens).toBe(
      bare + 4 + 3 + tokens('weather') + tokens('{"city":"Oslo"}'),
    );
  });

  it('hold the strings of parts that nobody knows, but no data URL as text', () => {
    const part = { type: 'new_kind', deep: [{ caption: 'Hello, world!' }], blob: PICTURE };
    const { inputTokens } = read('chat', { messages: [{ role: 'user', content: [part] }] });
    expect(inputTokens).toBeGreaterThan(11);
    expect(inputTokens).toBeLessThan(2000);
  });

  it('are estimated from samples beyond the counted length, within a tenth for even text', () => {
    const content = 'The limits of a team hold over all instances. '.repeat(5000);
    const call = Buffer.from(JSON.stringify({ messages: [{ role: 'user', content }] }));
    const reading = readCall('chat', call, 10_000);
    expect(reading.inputSource).toBe('estimated');
    expect(Math.abs(reading.inputTokens / tokens(content) - 1)).toBeLessThan(0.1);
  });

  it('survive tools nested too deeply for the stack', () => {
    const deep = `${'['.repeat(9000)}"word"${']'.repeat(9000)}`;
    const body = Buffer.from(`{"messages":[{"content":[{"type":"x","y":${deep}}]}],"tools":${deep}}`);
    expect(readCall('chat', body, 1e6).inputTokens).toBeGreaterThan(8);
  });
});

describe('the tokens of other calls', () => {
  it('are the text or the tokens of a completion and of an embedding, with nothing around them', () => {
    for (const [kind, field] of [
      ['completion', 'prompt'],
      ['embedding', 'input'],
    ] as const) {
      const of = (value: unknown) =>
        read(kind, { model: 'text-embedding-3-small', [field]: value }).inputTokens;
      expect(of('Hello, world!')).toBe(4);
      expect(of(['Hello, world!', 'Hello, world!'])).toBe(8);
      expect(of([1, 2, 3])).toBe(3);
      expect(of([[1, 2, 3], [4]])).toBe(4);
      expect(of('')).toBe(0);
    }
  });

  it('are the prompt of images, the input and instructions of speech, the inputs of a moderation, the query and documents of a rerank', () => {
    expect(read('image', { prompt: 'Hello, world!', n: 3 }).inputTokens).toBe(4);
    expect(read('speech', { input: 'Hello, world!', voice: 'alloy' }).inputTokens).toBe(4);
    expect(read('speech', { input: 'Hello, world!', instructions: 'Hello, world!' }).inputTokens).toBe(8);
    const moderation = (input: unknown) => read('moderation', { input });
    expect(moderation('Hello, world!').inputTokens).toBe(4);
    expect(moderation(['Hello, world!', 'Hello, world!']).inputTokens).toBe(8);
    expect(
      moderation([
        { type: 'text', text: 'Hello, world!' },
        { type: 'image_url', image_url: { url: PICTURE } },
      ]),
    ).toMatchObject({ inputTokens: 4 + 765, inputSource: 'estimated' });
    const documents = ['Hello, world!', { text: 'Hello, world!' }];
    expect(read('rerank', { query: 'Hello, world!', documents, top_n: 1 }).inputTokens).toBe(12);
  });

  it('hold instructions, items, outputs of functions and images of a response', () => {
    const of = (call: object) => read('response', call).inputTokens;
    expect(of({ input: 'Hello, world!' })).toBe(11);
    expect(of({ input: [{ role: 'user', content: 'Hello, world!' }] })).toBe(11);
    expect(of({ input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hello, world!' }] }] })).toBe(
      11,
    );
    expect(of({ instructions: 'Hello, world!', input: 'Hello, world!' })).toBe(19);
    expect(of({ input: [{ type: 'function_call_output', call_id: 'x', output: 'Hello, world!' }] })).toBe(10);
    expect(
      of({
        input: [{ role: 'user', content: [{ type: 'input_image', image_url: PICTURE, detail: 'low' }] }],
      }),
    ).toBe(92);
    expect(of({ input: [{ type: 'reasoning', encrypted_content: 'A'.repeat(9999), summary: [] }] })).toBe(3);
  });

  it("hold system, blocks, tools and documents of Anthropic's messages", () => {
    const text = 'Hello, world!';
    const of = (...content: object[]) =>
      read('message', { messages: [{ role: 'user', content }] }).inputTokens;
    expect(read('message', { system: text, messages: [{ role: 'user', content: text }] }).inputTokens).toBe(
      15,
    );
    expect(read('message', { system: [{ type: 'text', text }], messages: [] }).inputTokens).toBe(7);
    expect(of({ type: 'text', text })).toBe(11);
    expect(of({ type: 'image', source: { type: 'base64', data: PICTURE } })).toBe(1607);
    expect(of({ type: 'tool_result', content: text })).toBe(14);
    expect(
      of({
        type: 'tool_result',
        content: [
          { type: 'text', text },
          { type: 'image', source: {} },
        ],
      }),
    ).toBe(1614);
    expect(of({ type: 'document', source: { type: 'text', data: text } })).toBe(11);
    expect(of({ type: 'document', source: { type: 'base64', data: 'A'.repeat(100_000) } })).toBe(7 + 3000);
    expect(of({ type: 'tool_use', name: 'weather', input: { city: 'Oslo' } })).toBe(
      10 + tokens('weather') + tokens('{"city":"Oslo"}'),
    );
    const tools = [{ name: 'weather', input_schema: { type: 'object' } }];
    expect(read('message', { tools }).inputTokens).toBe(3 + 346 + tokens(JSON.stringify(tools)));
  });
});
