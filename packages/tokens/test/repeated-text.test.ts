import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { countRepeated } from '../src/repeated-text.ts';

const prompt = 'You are a helpful assistant that answers short questions, and never at length.';

describe('a text that comes again', () => {
  it('counts as it did, in each encoding', () => {
    for (let round = 0; round < 4; round++) {
      for (const encoding of ['o200k_base', 'cl100k_base', 'o200k_base', 'o200k_base'] as const) {
        expect(countRepeated('Grüße aus München! '.repeat(9), encoding)).toBe(
          countTokens('Grüße aus München! '.repeat(9), encoding),
        );
      }
    }
  });

  it('is not taken for another that is nearly the same', () => {
    const texts = [prompt, prompt.replace('short', 'sh rt'), prompt.replace('never', '1 2 3'), `${prompt} `];
    const counts = texts.map((text) => countTokens(text, 'o200k_base'));
    expect(new Set(counts).size).toBeGreaterThan(2);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: texts.length - 1 }), { maxLength: 40 }), (order) => {
        for (const index of order) {
          expect(countRepeated(texts[index] ?? '', 'o200k_base')).toBe(counts[index]);
        }
      }),
    );
  });

  it('is found again without being counted, and much sooner', () => {
    const text = prompt.repeat(100);
    const times = (count: (text: string, encoding: 'o200k_base') => number) => {
      let bestMs = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 20; round++) {
        const startMs = performance.now();
        count(text, 'o200k_base');
        bestMs = Math.min(bestMs, performance.now() - startMs);
      }
      return bestMs;
    };
    expect(times(countRepeated)).toBeLessThan(times(countTokens) / 3);
  });
});
