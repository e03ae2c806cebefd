import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LearnedOutput } from '../src/index.ts';

describe('the learned output', () => {
  it('expects a sensible answer before it knows one', () => {
    expect(new LearnedOutput().expect('key', 'gpt-4o')).toBe(1_000);
  });

  it('follows one long answer at once while it knows few', () => {
    const learned = new LearnedOutput();
    learned.learn('key', 'gpt-4o', 4_000);
    expect(learned.expect('key', 'gpt-4o')).toBe(4_000);
    expect(learned.expect('key', 'o3')).toBe(1_000);
    expect(learned.expect('other', 'gpt-4o')).toBe(1_000);
  });

  it('falls to short answers after five, rises again with the third long one, and falls when they are past', () => {
    const learned = new LearnedOutput();
    const answers = (tokens: number, count: number) => {
      for (let index = 0; index < count; index += 1) learned.learn('key', 'm', tokens);
      return learned.expect('key', 'm');
    };
    expect(answers(50, 4)).toBe(1_000);
    expect(answers(50, 1)).toBe(50);
    expect(answers(50, 30)).toBe(50);
    expect(answers(3_000, 2)).toBe(50);
    expect(answers(3_000, 1)).toBe(3_000);
    expect(answers(50, 18)).toBe(50);
  });

  it('is the 90th percentile of the last twenty', () => {
    const learned = new LearnedOutput();
    for (let tokens = 1; tokens <= 120; tokens += 1) learned.learn('key', 'm', tokens);
    expect(learned.expect('key', 'm')).toBe(118);
  });

  it('is the nearest rank of the sorted answers, the seed in place of the first five that are missing', () => {
    const some = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 45 });
    fc.assert(
      fc.property(some, fc.integer({ min: 0, max: 30 }), (answers, seedTokens) => {
        const learned = new LearnedOutput({ seedTokens });
        answers.forEach((tokens, index) => {
          learned.learn('key', 'm', tokens);
          const sample = answers.slice(Math.max(0, index - 19), index + 1);
          while (sample.length < 5) sample.push(seedTokens);
          sample.sort((one, other) => one - other);
          expect(learned.expect('key', 'm')).toBe(sample[Math.ceil(sample.length * 0.9) - 1]);
        });
      }),
    );
  });

  it('forgets the pair used longest ago when it knows too many', () => {
    const learned = new LearnedOutput({ maxPairs: 2 });
    for (const model of ['a', 'b', 'a', 'c'])
      for (let index = 0; index < 5; index += 1) learned.learn('key', model, 7);
    expect([learned.expect('key', 'a'), learned.expect('key', 'b'), learned.expect('key', 'c')]).toEqual([
      7, 1_000, 7,
    ]);
  });

  it('keeps whole numbers whatever it is taught, and does not mix up names', () => {
    const learned = new LearnedOutput();
    for (const tokens of [Number.NaN, -1, Number.NEGATIVE_INFINITY]) learned.learn('key', 'm', tokens);
    expect(learned.expect('key', 'm')).toBe(1_000);
    for (let index = 0; index < 5; index += 1) learned.learn('key', 'm', 10.2);
    expect(learned.expect('key', 'm')).toBe(11);
    learned.learn('key', 'm', Number.POSITIVE_INFINITY);
    expect(Number.isSafeInteger(learned.expect('key', 'm'))).toBe(true);
    for (let index = 0; index < 5; index += 1) learned.learn('ab', 'c', 3);
    expect(learned.expect('a', 'bc')).toBe(1_000);
  });
});
