import { GatewayError } from '@nexus/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallReading } from '../src/call-fields.ts';
import { METERED_FIELDS } from '../src/call-fields.ts';
import type { CallKind } from '../src/call-kind.ts';
import { readCall } from '../src/read-call.ts';
import { TopLevelScan } from '../src/top-level-scan.ts';

const MAX_CHARS = 1024 * 1024;

function read(body: string | Uint8Array | object, kind: CallKind = 'chat'): CallReading {
  const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return readCall(kind, Buffer.from(bytes), MAX_CHARS);
}

function refusal(body: string | Uint8Array): GatewayError {
  try {
    read(body);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('The body was read.');
}

describe('readCall', () => {
  it('reads a chat call', () => {
    const reading = read({
      model: 'gpt-4o',
      stream: true,
      n: 2,
      max_tokens: 100,
      messages: [{ role: 'user', content: 'Hello, world!' }],
    });
    expect(reading).toMatchObject({
      model: 'gpt-4o',
      stream: true,
      // 3 and the role for the message, 4 of text, 3 for the start of the reply.
      inputTokens: 11,
      inputSource: 'counted',
      choices: 2,
      statedOutputTokens: 100,
    });
  });

  it.each([
    ['nothing', ''],
    ['white space', ' \r\n\t '],
    ['a byte order mark alone', '\ufeff'],
  ])('refuses %s as empty', (_, body) => {
    const error = refusal(body);
    expect(error.code).toBe('invalid_body');
    expect(error.message).toContain('empty');
  });

  it.each([
    ['text', 'sesame open'],
    ['a cut object', '{"model":"sesame"'],
    ['an unclosed string', '{"model":"sesame'],
    ['two objects', '{"model":"sesame"}{}'],
    ['a trailing comma', '{"model":"sesame",}'],
    ['single quotes', "{'model':'sesame'}"],
    ['a null byte', '{"model":"sesame"}\0'],
    ['UTF-16', Buffer.from('{"model":"sesame"}', 'utf16le')],
    ['brackets that do not match', '{"messages":[}'],
    ['closing brackets', ']]]]}}}}'],
  ])('refuses %s without quoting it', (_, body) => {
    const error = refusal(body);
    expect(error.code).toBe('invalid_body');
    expect(error.message).toContain('not valid JSON');
    expect(error.message).not.toContain('sesame');
  });

  it.each(['[]', '"{}"', '1', 'null', 'true', '[{"model":"a"}]'])(
    'refuses %s, which is no object',
    (body) => {
      expect(refusal(body).message).toContain('not an object');
    },
  );

  it.each([
    ['{"model":"a","model":"b"}', 'model'],
    ['{"model":"a","mod\\u0065l":"b"}', 'model'],
    ['{"\\u006d\\u006f\\u0064\\u0065\\u006c":"a" , "x":[{"model":1}],\n"model" :"b"}', 'model'],
    ['{"Model":"a","model":"b"}', 'model'],
    ['{"max_tokens":1,"max_tokens":100000}', 'max_tokens'],
    ['{"n":1,"stream":false,"stream":true}', 'stream'],
    ['{"messages":[],"messages":[{"role":"user","content":"}{\\"\\\\"}]}', 'messages'],
    [
      '{"stream":true,"stream_options":{"include_usage":false,"include_usage":true}}',
      'stream_options.include_usage',
    ],
  ])('refuses a metered field that stands twice: %s', (body, name) => {
    expect(refusal(body).message).toContain(`\`${name}\``);
  });

  it('lets names stand twice that are not metered, or not at the top', () => {
    const body =
      '{"user":"a","user":"b","messages":[{"model":1,"model":2,"content":"\\"model\\":"}],"model":"m"}';
    expect(read(body).model).toBe('m');
  });

  it('reads over a byte order mark', () => {
    const reading = read('\ufeff{"model":"m","stream":true}');
    expect(reading.model).toBe('m');
    expect(reading.askUsage?.start).toBe(4);
  });

  it.each([
    ['-1', undefined],
    ['0', 0],
    ['2.5', 3],
    ['1e99', 2 ** 31],
    ['1e999', 2 ** 31],
    ['-1e999', undefined],
    ['"100"', undefined],
    ['null', undefined],
    ['[7]', undefined],
    ['{"valueOf":7}', undefined],
    ['true', undefined],
  ])('takes max_tokens %s for %s', (value, stated) => {
    expect(read(`{"max_tokens":${value}}`).statedOutputTokens).toBe(stated);
  });

  it('takes the largest of the three bounds', () => {
    expect(read('{"max_tokens":1,"max_completion_tokens":4096}').statedOutputTokens).toBe(4096);
    expect(
      read('{"max_tokens":9,"max_completion_tokens":-4096,"max_output_tokens":8}').statedOutputTokens,
    ).toBe(9);
    expect(read('{}').statedOutputTokens).toBeUndefined();
  });

  it.each([
    ['3', 3],
    ['-3', 1],
    ['0', 1],
    ['1.5', 2],
    ['1e99', 2 ** 31],
    ['"9"', 1],
  ])('takes n %s for %i choices', (value, choices) => {
    expect(read(`{"n":${value}}`).choices).toBe(choices);
  });

  it('multiplies the choices of a completion by its prompts', () => {
    expect(read({ prompt: 'a', n: 2, best_of: 5 }, 'completion').choices).toBe(5);
    expect(read({ prompt: ['a', 'b', 'c'], n: 2 }, 'completion').choices).toBe(6);
    expect(read({ prompt: [1, 2, 3], n: 2 }, 'completion').choices).toBe(2);
    expect(read({ prompt: [[1, 2], [3]], n: 2 }, 'completion').choices).toBe(4);
    expect(read({ prompt: Array(1000).fill('a'), n: 1e99 }, 'completion').choices).toBe(2 ** 31);
    expect(read({ best_of: 7 }, 'chat').choices).toBe(1);
  });

  it('takes the `n` of images for images, and no ceiling from a call whose answer is no text', () => {
    expect(read({ prompt: 'x', n: 4, max_tokens: 1 }, 'image')).toMatchObject({
      choices: 4,
      statedOutputTokens: undefined,
    });
    for (const kind of ['embedding', 'speech', 'moderation', 'rerank'] as const)
      expect(read({ input: 'x', n: 4, max_tokens: 1, max_output_tokens: 1 }, kind)).toMatchObject({
        choices: 1,
        statedOutputTokens: undefined,
      });
  });

  it('knows a stream of speech by its format, and refuses one that is named twice', () => {
    expect(read({ input: 'x', stream_format: 'sse' }, 'speech')).toMatchObject({
      stream: true,
      askUsage: undefined,
    });
    expect(read({ input: 'x', stream_format: 'audio' }, 'speech').stream).toBe(false);
    expect(read({ messages: [], stream_format: 'sse' }, 'chat').stream).toBe(false);
    expect(() => read('{"input":"x","stream_format":"sse","stream_format":"audio"}', 'speech')).toThrow(
      /stream_format/,
    );
    expect(() => read('{"documents":[],"query":"x","documents":["y"]}', 'rerank')).toThrow(/documents/);
  });

  it("gives a moderation without a model OpenAI's default, and no other call one", () => {
    for (const call of [{ input: 'x' }, { input: 'x', model: null }])
      expect(read(call, 'moderation').model).toBe('omni-moderation-latest');
    expect(read({ input: 'x', model: 5 }, 'moderation').model).toBeUndefined();
    expect(read('{"__proto__":{"model":"m"},"input":"x"}', 'moderation').model).toBe(
      'omni-moderation-latest',
    );
    for (const kind of ['chat', 'image', 'speech', 'rerank'] as const)
      expect(read({ input: 'x' }, kind).model).toBeUndefined();
  });

  it('does not take what is inherited for a field', () => {
    const reading = read('{"__proto__":{"model":"m","stream":true,"max_tokens":5,"messages":[{}]}}');
    expect(reading).toMatchObject({
      model: undefined,
      stream: false,
      statedOutputTokens: undefined,
      inputTokens: 3,
    });
  });

  it.each([
    'chat',
    'completion',
    'embedding',
    'response',
    'message',
    'image',
    'speech',
    'moderation',
    'rerank',
  ] as const)('never gives a number that is not a count, whatever the shapes of a %s call', (kind) => {
    const shapes = [null, 1, -1, '', 'x', true, [], {}, [null], [[null]], [{}], [[[1]]], { type: 'text' }];
    const fields = [
      'messages',
      'input',
      'prompt',
      'system',
      'tools',
      'functions',
      'instructions',
      'suffix',
      'query',
      'documents',
      'text',
    ];
    const nested = shapes.flatMap((inner) => [
      [{ content: inner }],
      [{ content: [inner, { type: inner, text: inner, source: inner, image_url: inner }] }],
      [
        {
          role: inner,
          name: inner,
          tool_calls: inner,
          function_call: inner,
          type: 'function_call_output',
          output: inner,
        },
      ],
      [
        {
          content: [
            { type: 'tool_result', content: [inner] },
            { type: 'document', source: inner },
          ],
        },
      ],
    ]);
    for (const field of fields) {
      for (const value of [...shapes, ...nested]) {
        const reading = read({ [field]: value }, kind);
        expect(Number.isSafeInteger(reading.inputTokens) && reading.inputTokens >= 0).toBe(true);
        expect(Number.isSafeInteger(reading.choices) && reading.choices >= 1).toBe(true);
      }
    }
  });
});

describe('a body that names a metered field more than once', () => {
  const names = ['model', 'stream', 'n', 'max_tokens', 'system', 'user', 'content', '__proto__'];
  /** A name as a client may spell it: in capitals, with escapes, or as it is. */
  const spelled = fc
    .tuple(fc.constantFrom(...names), fc.constantFrom('plain', 'plain', 'capital', 'escaped', 'kelvin'))
    .map(([name, how]) => {
      if (how === 'capital') return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
      if (how === 'escaped') return `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
      return how === 'kelvin' ? name.replace('k', '\u212a') : name;
    });
  const value = fc.oneof(
    fc.constantFrom('1', 'true', '"model"', '"\\"model\\""', '[]', '"\\u006d"', '"\\\\"'),
    fc.array(spelled, { maxLength: 3 }).map((keys) => `{${keys.map((key) => `"${key}":1`).join(',')}}`),
  );
  const field = fc.tuple(spelled, value).map(([name, text]) => `"${name}" : ${text}`);

  it('is refused just where a scan of its bytes finds one', () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 6 }), (fields) => {
        const body = Buffer.from(`\n{${fields.join(', ')}}`);
        const scan = new TopLevelScan(body, 0, body.length, METERED_FIELDS);
        scan.step(body.length);
        let refused = false;
        try {
          readCall('embedding', body, MAX_CHARS);
        } catch (error) {
          refused = error instanceof GatewayError && error.message.includes('more than once');
        }
        expect(refused).toBe(scan.duplicate !== undefined);
      }),
      { numRuns: 2_000 },
    );
  });
});
