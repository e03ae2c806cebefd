import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Splice } from '../src/ask-usage.ts';
import type { CallKind } from '../src/call-kind.ts';
import { readCall } from '../src/read-call.ts';

function spliced(body: string, kind: CallKind = 'chat'): string | undefined {
  const bytes = Buffer.from(body);
  const splice = readCall(kind, bytes, 1e6).askUsage;
  return splice === undefined ? undefined : apply(bytes, splice).toString();
}

function apply(body: Buffer, { start, end, insert }: Splice): Buffer {
  return Buffer.concat([body.subarray(0, start), insert, body.subarray(end)]);
}

describe('the splice that asks for usage', () => {
  it.each([
    ['{"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'],
    [' \n{ "stream" : true }', ' \n{"stream_options":{"include_usage":true}, "stream" : true }'],
    ['{"stream":true,"stream_options":null}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    ['{"stream_options": {} ,"stream":true}', '{"stream_options": {"include_usage":true} ,"stream":true}'],
    [
      '{"stream_options":{ \n },"stream":true}',
      '{"stream_options":{"include_usage":true \n },"stream":true}',
    ],
    [
      '{"stream_options":{"include_usage": false },"stream":true}',
      '{"stream_options":{"include_usage": true },"stream":true}',
    ],
    [
      '{"stream_options":{"include_usage":null},"stream":true}',
      '{"stream_options":{"include_usage":true},"stream":true}',
    ],
    [
      '{"stream":true,"stream_options":{"include_obfuscation":false}}',
      '{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}',
    ],
    [
      '{"stream":true,"stream\\u005foptions":{"x":{"include_usage":true}}}',
      '{"stream":true,"stream\\u005foptions":{"include_usage":true,"x":{"include_usage":true}}}',
    ],
  ])('turns %s into %s', (body, wanted) => {
    expect(spliced(body)).toBe(wanted);
    expect(spliced(body, 'completion')).toBe(wanted);
    expect(spliced(wanted)).toBeUndefined();
  });

  it.each([
    '{"stream":true,"stream_options":{"include_usage":true}}',
    '{"stream":false}',
    '{"stream":null,"stream_options":{}}',
    '{"stream":"true"}',
    '{}',
    '{"stream":true,"stream_options":[]}',
    '{"stream":true,"stream_options":"include_usage"}',
    '{"stream":true,"stream_options":{"include_usage":"no"}}',
  ])('leaves %s alone', (body) => {
    expect(spliced(body)).toBeUndefined();
  });

  it.each(['embedding', 'response', 'message'] as const)('leaves a %s alone', (kind) => {
    expect(spliced('{"stream":true}', kind)).toBeUndefined();
  });

  it('changes nothing but include_usage, whatever else stands in the body', () => {
    const options = fc.oneof(
      fc.constant(undefined),
      fc.constant(null),
      fc.dictionary(fc.string(), fc.jsonValue()).map((others) => {
        const { include_usage: _, ...rest } = others;
        return rest;
      }),
      fc.constantFrom({ include_usage: false }, { a: [1, '}'], include_usage: null }),
    );
    const space = fc.constantFrom(undefined, 1, '\t');
    const others = fc.dictionary(
      fc.string({ unit: 'grapheme' }).map((name) => `x${name}`),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(
        others,
        others,
        options,
        space,
        fc.boolean(),
        (before, after, stream_options, indent, mark) => {
          const call = {
            ...before,
            ...(stream_options !== undefined && { stream_options }),
            stream: true,
            ...after,
          };
          const body = Buffer.from(`${mark ? '\ufeff' : ''}${JSON.stringify(call, null, indent)}`);
          const splice = readCall('chat', body, 1e6).askUsage;
          if (splice === undefined) throw new Error('No splice.');
          const result = apply(body, splice);
          const wanted = { ...call, stream_options: { ...stream_options, include_usage: true } };
          expect(JSON.parse(result.toString('utf8', mark ? 3 : 0))).toEqual(
            JSON.parse(JSON.stringify(wanted)),
          );
          // One place is changed; what is taken out there is a literal or nothing.
          expect(['', 'null', 'false']).toContain(body.toString('utf8', splice.start, splice.end));
          expect(result.subarray(0, splice.start)).toEqual(body.subarray(0, splice.start));
          expect(result.subarray(splice.start + splice.insert.length)).toEqual(body.subarray(splice.end));
        },
      ),
      { numRuns: 500 },
    );
  });
});
