import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { CHAT_STREAM, cutAt, delta, events, feed, usageChunk } from './meter-run.ts';

const count = (text: string): number => countTokens(text, 'o200k_base');
const HIDING = { ...CHAT_STREAM, hideUsage: true };

describe('bytes that are not what they should be', () => {
  it('passes malformed events, comments and errors on, and meters the rest', () => {
    const stream = [
      ': queued\n\n',
      'data: {"choices":[{"delta":{"content":"lost\n\n',
      'data: not json\n\ndata: [1,2]\n\ndata: null\n\ndata: "x"\n\ndata:\n\n\n\n',
      'data: {"error":{"message":"overloaded","type":"server_error","code":null}}\n\n',
      'data: {"choices":{"0":1},"type":7,"usage":[]}\n\ndata: {"choices":[null,3,{"delta":4},{"delta":{"content":5}}]}\n\n',
      'data: {"__proto__":{"usage":{"prompt_tokens":9}},"constructor":1}\n\n',
      events(delta('Hello')),
    ].join('');
    for (const options of [CHAT_STREAM, HIDING]) {
      const { meter, sent } = feed(options, [stream]);
      expect(sent.toString()).toBe(stream);
      expect(meter.usage()).toMatchObject({
        inputTokens: 11,
        outputTokens: count('Hello'),
        source: 'counted',
      });
    }
  });

  it('survives lone surrogates, deep nesting and invalid UTF-8', () => {
    const deep = `data: ${'['.repeat(100_000)}${']'.repeat(100_000)}\n\n`;
    const surrogate = 'data: {"choices":[{"delta":{"content":"\\ud800"}}]}\n\n';
    const invalid = Buffer.concat([
      Buffer.from('data: {"choices":[{"delta":{"content":"'),
      Buffer.of(0xff, 0xc3),
      Buffer.from('"}}]}\n\n'),
    ]);
    const { meter, sent } = feed(HIDING, [deep, surrogate, invalid]);
    expect(sent.equals(Buffer.concat([Buffer.from(deep + surrogate), invalid]))).toBe(true);
    expect(meter.usage().outputTokens).toBeGreaterThan(0);
  });

  it('never throws and never changes a byte, whatever comes', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          'data: ',
          '\n\n',
          '\r',
          '{"choices":[',
          '{"usage":{',
          ',"usage":null',
          '[DONE]',
          '}]}',
          '"',
          '\uFEFF',
        )
        .map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 30 }), fc.boolean(), (pieces, hideUsage) => {
        const { meter, sent } = feed({ ...CHAT_STREAM, hideUsage }, pieces);
        expect(sent.equals(Buffer.concat(pieces))).toBe(true);
        const usage = meter.usage();
        expect(Number.isSafeInteger(usage.outputTokens) && usage.outputTokens >= 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('meters the first event behind a byte order mark, and multi-line data', () => {
    const mark = Buffer.from(`\uFEFF${events(usageChunk(3, 4))}`);
    expect(feed(CHAT_STREAM, cutAt(mark, [1, 2])).meter.usage().outputTokens).toBe(4);
    const lines =
      'data: {"choices":[],\ndata: "usage":{"prompt_tokens":3,\ndata: "completion_tokens":4}}\n\n';
    expect(feed(CHAT_STREAM, [lines]).meter.usage().outputTokens).toBe(4);
    expect(feed(HIDING, [lines, 'data: [DONE]\n\n']).sent.toString()).toBe('data: [DONE]\n\n');
  });

  it('tells data from comments and pings', () => {
    const { meter } = feed(CHAT_STREAM, [`: ping\n\nevent: ping\n${events({ type: 'ping' })}\n`]);
    expect(meter.dataEvents).toBe(0);
    meter.write(Buffer.from(events(delta('a'))));
    meter.write(Buffer.from(events(delta('b'))));
    expect(meter.dataEvents).toBe(2);
  });
});
