import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageScan } from '../src/usage-scan.ts';
import { cutAt } from './meter-run.ts';

function scan(text: string, wrapped = false, places: readonly number[] = []): UsageScan {
  const found = new UsageScan(wrapped);
  for (const piece of cutAt(Buffer.from(text), places)) found.push(piece);
  return found;
}

describe('UsageScan', () => {
  it('finds the usage at the top level and nowhere else', () => {
    const text = JSON.stringify({
      data: [{ usage: { prompt_tokens: 1 } }],
      inner: { usage: { prompt_tokens: 2 }, message: { usage: { prompt_tokens: 3 } } },
      text: '"usage":{"prompt_tokens":4}',
      usage: { prompt_tokens: 5 },
      after: ['usage', { prompt_tokens: 6 }],
    });
    expect(scan(text).found).toEqual({ prompt_tokens: 5 });
  });

  it('looks into a top-level response or message only for streams', () => {
    const text =
      '{"type":"response.completed","response":{"output":[{"usage":{"a":1}}],"usage":{"input_tokens":5}}}';
    expect(scan(text, true).found).toEqual({ input_tokens: 5 });
    expect(scan(text, false).found).toBeUndefined();
    const deeper =
      '{"x":{"response":{"usage":{"input_tokens":5}}},"y":[{"message":{"usage":{"input_tokens":5}}}]}';
    expect(scan(deeper, true).found).toBeUndefined();
  });

  it('comes back from a wrapper to the top level', () => {
    expect(scan('{"message":{"id":1},"usage":{"a":1}}', true).found).toEqual({ a: 1 });
  });

  it('skips the field names of an event', () => {
    expect(
      scan('event: message_start\ndata: {"message":{"usage":{"input_tokens":1}}}\n\n', true).found,
    ).toEqual({
      input_tokens: 1,
    });
  });

  it('takes the last of several, as JSON.parse does, and overlooks null', () => {
    expect(scan('{"usage":{"a":1},"usage":{"a":2}}').found).toEqual({ a: 2 });
    expect(scan('{"usage":{"a":1},"usage":null}').found).toEqual({ a: 1 });
  });

  it('reads keys written with escapes', () => {
    expect(scan('{"\\u0075sage":{"a":1}}').found).toEqual({ a: 1 });
    expect(scan('{"usage\\"":{"a":1}}').found).toBeUndefined();
  });

  it('ignores a usage of absurd size, whatever comes after it', () => {
    const text = `{"usage":{"x":"${'y'.repeat(20_000)}"},"more":{"usage":1}}`;
    const found = scan(text);
    expect(found.found).toBeUndefined();
    expect(found.whole).toBe(true);
  });

  it('never throws on bytes that are no JSON', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, wrapped) => {
        const found = new UsageScan(wrapped);
        found.push(Buffer.from('{'));
        found.push(Buffer.from(bytes));
        found.push(Buffer.from('"usage":{"a":'));
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds what JSON.parse finds, wherever the text is cut', () => {
    const key = fc.oneof(
      fc.constantFrom('usage', 'data', 'message', 'response', 'us\\age', '"', 'usage"'),
      fc.string(),
    );
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { depthSize: 'xsmall', maxDepth: 3 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.string({ unit: 'binary' }),
        fc.constantFrom('"usage":{"a":1}', '\\', '\\"', '{', ']'),
        fc.dictionary(key, tie('any'), { maxKeys: 3 }),
        fc.array(tie('any'), { maxLength: 3 }),
      ),
    })).any;
    const body = fc.dictionary(key, value, { maxKeys: 4, noNullPrototype: true });
    const space = fc.constantFrom(undefined, 1, '\t', '\r\n ');
    fc.assert(
      fc.property(body, space, fc.array(fc.nat(5_000), { maxLength: 30 }), (object, indent, places) => {
        const text = JSON.stringify(object, undefined, indent);
        const parsed: { usage?: unknown } = JSON.parse(text);
        const found = scan(text, false, places);
        expect(found.whole).toBe(true);
        expect(found.found).toEqual(Object.hasOwn(parsed, 'usage') ? (parsed.usage ?? undefined) : undefined);
      }),
      { numRuns: 500 },
    );
  });
});
