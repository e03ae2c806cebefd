import { describe, expect, it } from 'vitest';
import { RepeatedEvent } from '../src/sse-repeat.ts';
import { delta, events } from './meter-run.ts';

function learned(block: string, text: string, field = 'content', cut = -1): RepeatedEvent {
  const repeated = new RepeatedEvent();
  repeated.learn(Buffer.from(block), 7, text, field, cut);
  return repeated;
}

function match(repeated: RepeatedEvent, block: string): string | undefined {
  const bytes = Buffer.from(`before${block}after`);
  return repeated.match(bytes, 6, bytes.length - 5) ? repeated.text : undefined;
}

describe('RepeatedEvent', () => {
  it('knows an event again that differs in its text alone', () => {
    const repeated = learned(events(delta('Hello')), 'Hello');
    expect(match(repeated, events(delta(' wörld 👋')))).toBe(' wörld 👋');
    expect(match(repeated, events(delta('')))).toBe('');
    expect(repeated.key).toBe(7);
  });

  it('does not know an event that differs elsewhere, is longer, or is shorter', () => {
    const block = events(delta('Hello'));
    const repeated = learned(block, 'Hello');
    for (const other of [
      block.replace('null', '"stop"'),
      block.replace('"index":0', '"index":1'),
      `${block}\n`,
      block.slice(0, -1),
      block.slice(0, 20),
      ` ${block}`,
      '',
    ]) {
      expect(match(repeated, other)).toBeUndefined();
    }
  });

  it('does not take text with escapes, quotes or control characters for plain', () => {
    const repeated = learned(events(delta('Hello')), 'Hello');
    for (const text of ['a"b', 'a\\b', 'a\nb', 'ab\\']) {
      expect(match(repeated, events(delta(text)))).toBeUndefined();
    }
    const smuggled = events(delta('Hello')).replace('Hello', 'x"},"finish_reason":"stop","y":{"z":"');
    expect(match(repeated, smuggled)).toBeUndefined();
  });

  it('overlooks padding and sequence numbers', () => {
    const event = (text: string, sequence: number, padding: string): string =>
      events({
        type: 'response.output_text.delta',
        sequence_number: sequence,
        delta: text,
        obfuscation: padding,
      });
    const repeated = learned(event('a', 9, 'abc'), 'a', 'delta');
    expect(match(repeated, event('b', 10, 'defghi'))).toBe('b');
    expect(match(repeated, event('b', 10, ''))).toBe('b');
    expect(match(repeated, event('b', 10, '"'))).toBeUndefined();
    expect(match(repeated, event('b', -1, ''))).toBeUndefined();
  });

  it('says where the learned cut stands in an event with another text', () => {
    const block = events(delta('Hello', { usage: null, obfuscation: 'abc' }));
    const repeated = learned(block, 'Hello', 'content', block.indexOf(',"usage":null'));
    const other = Buffer.from(events(delta('Hi', { usage: null, obfuscation: 'x' })));
    expect(repeated.match(other, 0, other.length)).toBe(true);
    expect(other.toString('utf8', repeated.cut, repeated.cut + 13)).toBe(',"usage":null');
  });

  it('learns nothing where the place of the text is not certain', () => {
    const twice = events(delta('Hello', { echo: { content: 'Hello' } }));
    expect(match(learned(twice, 'Hello'), twice)).toBeUndefined();
    const escaped = events(delta('a"b'));
    expect(match(learned(escaped, 'a"b'), escaped)).toBeUndefined();
  });

  it('stops learning from a stream whose events never repeat', () => {
    const repeated = new RepeatedEvent();
    for (let i = 0; i < 50; i++)
      repeated.learn(Buffer.from(events(delta('a', { id: i }))), 0, 'a', 'content', -1);
    const block = events(delta('a', { id: 49 }));
    expect(match(repeated, block)).toBeUndefined();
  });
});
