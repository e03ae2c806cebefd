import { get_encoding } from '@dqbd/tiktoken';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { corpus, numbers } from './corpus.ts';

const ENCODINGS = ['o200k_base', 'cl100k_base'] as const;

describe.each(ENCODINGS)('countTokens in %s', (encoding) => {
  const oracle = get_encoding(encoding);
  afterAll(() => oracle.free());
  const expected = (text: string) => oracle.encode(text, [], []).length;

  it('agrees with @dqbd/tiktoken on 3,000 texts of many kinds', () => {
    const texts = corpus(3000);
    const wrong = texts.filter((text) => countTokens(text, encoding) !== expected(text));
    expect(wrong).toEqual([]);
    expect(texts.length).toBeGreaterThanOrEqual(3000);
  });

  it('agrees with @dqbd/tiktoken on whatever fast-check finds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        expect(countTokens(text, encoding)).toBe(expected(text));
      }),
      { numRuns: 500 },
    );
  });

  it('agrees on pretokens on both sides of where the heap takes over', () => {
    const next = numbers(3);
    for (let length = 80; length < 140; length++) {
      let text = '';
      for (let i = 0; i < length; i++) text += String.fromCharCode(97 + next(length % 2 === 0 ? 26 : 2));
      expect([length, countTokens(text, encoding)]).toEqual([length, expected(text)]);
    }
  });

  it('agrees on a text longer than its scratch memory', () => {
    const text = corpus(200).join(' ').repeat(4);
    expect(text.length).toBeGreaterThan(22_000);
    expect(countTokens(text, encoding)).toBe(expected(text));
  });

  it('takes special tokens for plain text', () => {
    expect(countTokens('<|endoftext|>', encoding)).toBe(oracle.encode('<|endoftext|>', [], []).length);
    expect(countTokens('<|endoftext|>', encoding)).toBeGreaterThan(1);
  });

  it('counts the same again when the count is remembered', () => {
    const texts = corpus(300);
    const first = texts.map((text) => countTokens(text, encoding));
    expect(texts.map((text) => countTokens(text, encoding))).toEqual(first);
  });
});
