import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findNullUsage, NULL_USAGE_BYTES } from '../src/sse-null-usage.ts';

/** The text without what is found, or `untouched`. */
function without(json: string): string {
  const block = Buffer.from(`data: ${json}\n\n`);
  const at = findNullUsage(block, 6, block.length - 2);
  if (at < 0) return 'untouched';
  return Buffer.concat([
    block.subarray(6, at),
    block.subarray(at + NULL_USAGE_BYTES, block.length - 2),
  ]).toString();
}

describe('findNullUsage', () => {
  it('finds it as the last field and between others', () => {
    expect(without('{"a":1,"usage":null}')).toBe('{"a":1}');
    expect(without('{"a":1,"usage":null,"obfuscation":"x"}')).toBe('{"a":1,"obfuscation":"x"}');
  });

  it('tells the top level from what lies deeper', () => {
    expect(without('{"choices":[{"index":0,"usage":null}],"usage":null}')).toBe(
      '{"choices":[{"index":0,"usage":null}]}',
    );
    expect(without('{"choices":[{"index":0,"usage":null}], "usage": null}')).toBe('untouched');
  });

  it('is not taken in by text', () => {
    const text = '{"content":"a,\\"usage\\":null}","usage":null}';
    expect(without(text)).toBe('{"content":"a,\\"usage\\":null}"}');
    expect(without('{"field":"usage","usage":null}')).toBe('{"field":"usage"}');
    expect(without('{"content":"\\\\","usage":null}')).toBe('{"content":"\\\\"}');
  });

  it('leaves bytes alone that OpenAI would not write', () => {
    for (const json of [
      '{"usage":null}',
      '{"usage":null,"a":1}',
      '{"a":1, "usage":null}',
      '{"a":1,"usage": null}',
      '{"a":1,"usage":null,"usage":null}',
      '{"a":1}',
    ]) {
      expect(without(json)).toBe('untouched');
    }
  });

  it('leaves the same object without the field, for any event', () => {
    const key = fc.oneof(fc.string(), fc.constantFrom('usage', ',"usage":null', 'a"'));
    const before = fc.dictionary(
      key.filter((name) => name !== 'usage'),
      fc.jsonValue(),
      {
        minKeys: 1,
        noNullPrototype: true,
      },
    );
    fc.assert(
      fc.property(before, fc.dictionary(fc.string({ minLength: 12 }), fc.jsonValue()), (head, tail) => {
        const kept = JSON.stringify({ ...head, ...tail });
        const added = JSON.stringify({ ...head, usage: null, ...tail });
        if (Object.keys(head)[0]?.match(/^\d+$/) || added.startsWith('{"usage"')) return;
        expect(without(added)).toBe(kept);
      }),
      { numRuns: 1_000 },
    );
  });
});
