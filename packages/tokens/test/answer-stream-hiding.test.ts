import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeMeter } from '../src/meter.ts';
import { CHAT_STREAM, cutAt, delta, events, feed, usageChunk } from './meter-run.ts';

const HIDING = { ...CHAT_STREAM, hideUsage: true };

describe('hiding the usage', () => {
  it('gives the chunk itself where nothing changes', () => {
    const meter = makeMeter(HIDING);
    const chunk = Buffer.from(events(delta('Hello'), delta(' you')));
    expect(meter.write(chunk)).toBe(chunk);
    const plain = new Uint8Array(Buffer.from(events(delta('Hello'))));
    expect(meter.write(plain)).toBe(plain);
  });

  it('gives every chunk itself where nothing is to be hidden', () => {
    const meter = makeMeter(CHAT_STREAM);
    for (const text of ['data: {"cho', 'ices":[]}\n\n', events(usageChunk(1, 2)), '']) {
      const chunk = Buffer.from(text);
      expect(meter.write(chunk)).toBe(chunk);
    }
  });

  it('holds back an event that is not whole, and nothing else', () => {
    const meter = makeMeter(HIDING);
    expect(String(meter.write(Buffer.from('data: {"a":1}\n\ndata: {"b"')))).toBe('data: {"a":1}\n\n');
    expect(meter.write(Buffer.from(':2}\n'))).toBeUndefined();
    expect(String(meter.write(Buffer.from('\n')))).toBe('data: {"b":2}\n\n');
    expect(meter.write(Buffer.from('data: [DO'))).toBeUndefined();
    expect(String(meter.end())).toBe('data: [DO');
    expect(meter.end()).toBeUndefined();
  });

  it('keeps usage that rides on choices, an error beside it, and chunks without choices or usage', () => {
    const riding = delta('x', { usage: { prompt_tokens: 1, completion_tokens: 1 } });
    const failed = { choices: [], usage: { prompt_tokens: 1 }, error: { message: 'x' } };
    const filters = { choices: [], prompt_filter_results: [{ prompt_index: 0 }] };
    const stream = events(riding, failed, filters);
    expect(feed(HIDING, [stream]).sent.toString()).toBe(stream);
  });

  it('takes the null out of a chunk without choices and keeps the rest of it', () => {
    const filters = { choices: [], prompt_filter_results: [{ prompt_index: 0 }] };
    expect(feed(HIDING, [events({ ...filters, usage: null })]).sent.toString()).toBe(events(filters));
  });

  it('hides in chat and completion streams only', () => {
    const stream = events(usageChunk(1, 2));
    for (const kind of ['response', 'message', 'embedding', 'other'] as const) {
      expect(feed({ ...HIDING, kind }, [stream]).sent.toString()).toBe(stream);
    }
    expect(feed({ ...HIDING, kind: 'completion' }, [stream]).sent.length).toBe(0);
  });

  it('passes an event of more than 1 MB as it is, in pieces', () => {
    const meter = makeMeter(HIDING);
    let sent = 0;
    for (let i = 0; i < 40; i++) sent += meter.write(Buffer.alloc(65_536, 'x'))?.length ?? 0;
    expect(sent).toBe(40 * 65_536);
    const after = `\n\n${events(usageChunk(1, 2))}`;
    expect(String(meter.write(Buffer.from(after)))).toBe('\n\n');
  });

  it('gives the stream that would have come without asking, however it is cut', () => {
    const text = fc.oneof(
      fc.constantFrom(' word', 'a', 'é', '👋', '"', '\\', '\n', ',"usage":null', 'data: [DONE]\n\n', ''),
      fc.string(),
    );
    const padding = fc.option(fc.constantFrom('x', 'abc', '"quoted"'), { nil: undefined });
    const part = fc.oneof(
      fc.record({ kind: fc.constant('delta' as const), text, padding, choice: fc.nat(2) }),
      fc.record({ kind: fc.constant('usage' as const), tokens: fc.nat(1_000) }),
      fc.record({
        kind: fc.constant('raw' as const),
        raw: fc.constantFrom(': ping', 'data: [DONE]', 'data: {"error":{}}', ''),
      }),
    );
    const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 12 }),
        lineEnd,
        fc.boolean(),
        fc.array(fc.nat(4_000), { maxLength: 40 }),
        (parts, end, marked, places) => {
          let asked = marked ? '\uFEFF' : '';
          let plain = asked;
          for (const one of parts) {
            if (one.kind === 'usage') {
              asked += `data: ${JSON.stringify(usageChunk(3, one.tokens))}${end}${end}`;
            } else if (one.kind === 'raw') {
              asked += `${one.raw}${end}${end}`;
              plain += `${one.raw}${end}${end}`;
            } else {
              const choices = [{ index: one.choice, delta: { content: one.text }, finish_reason: null }];
              asked += `data: ${JSON.stringify({ id: 'c', choices, usage: null, obfuscation: one.padding })}${end}${end}`;
              plain += `data: ${JSON.stringify({ id: 'c', choices, obfuscation: one.padding })}${end}${end}`;
            }
          }
          const { meter, sent } = feed(HIDING, cutAt(Buffer.from(asked), places));
          expect(sent.toString()).toBe(plain);
          const inOne = feed(HIDING, [Buffer.from(asked)]).meter;
          expect(meter.usage()).toEqual(inOne.usage());
          expect(meter.dataEvents).toBe(inOne.dataEvents);
        },
      ),
      { numRuns: 1_500 },
    );
  });
});
