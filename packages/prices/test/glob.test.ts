import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitsGlob } from '../src/glob.ts';

describe('fitsGlob', () => {
  it('lets a star stand for any run, also an empty one', () => {
    expect(fitsGlob('gpt-4o*', 'gpt-4o')).toBe(true);
    expect(fitsGlob('gpt-4o*', 'gpt-4o-mini')).toBe(true);
    expect(fitsGlob('*-audio*', 'gpt-4o-audio-preview')).toBe(true);
    expect(fitsGlob('a*b*c', 'abbc')).toBe(true);
    expect(fitsGlob('*', '')).toBe(true);
  });

  it('takes everything else for itself, over the whole text', () => {
    expect(fitsGlob('gpt-4o*', 'my-gpt-4o')).toBe(false);
    expect(fitsGlob('gpt-4.1', 'gpt-4x1')).toBe(false);
    expect(fitsGlob('gpt-4o', 'gpt-4o-mini')).toBe(false);
    expect(fitsGlob('ab*ba', 'aba')).toBe(false);
    expect(fitsGlob('a*b*b', 'ab')).toBe(false);
    expect(fitsGlob('', 'a')).toBe(false);
  });

  it('agrees with a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 6 });
    fc.assert(
      fc.property(pattern, text, (glob, name) => {
        const like = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        expect(fitsGlob(glob, name)).toBe(like.test(name));
      }),
      { numRuns: 1_000 },
    );
  });

  it('answers for a pattern and a text made to be slow', () => {
    expect(fitsGlob(`${'*a'.repeat(200)}*b`, 'a'.repeat(256))).toBe(false);
  });
});
