import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutPoint, TextCount } from '../src/answer-text.ts';
import { countTokens } from '../src/count.ts';

const count = (text: string): number => countTokens(text, 'o200k_base');

/** Hands `text` in, in pieces of `size` characters. */
function inPieces(text: string, size: number, counter = count): TextCount {
  const counted = new TextCount(counter);
  for (let at = 0; at < text.length; at += size) counted.add(0, text.slice(at, at + size));
  return counted;
}

const PROSE =
  `It's 9.30 o'clock: the "quick" fox (v1.2) jumps,  twice\n\n  over 12345 lazy dogs... don't!\t`.repeat(500);

describe('TextCount', () => {
  it('counts text in pieces as it counts the whole', () => {
    expect(inPieces(PROSE, 5).tokens()).toBe(count(PROSE));
    expect(inPieces(PROSE, 100_000).tokens()).toBe(count(PROSE));
  });

  it('is wrong by a token a part at most where there are no blanks', () => {
    const chinese = '敏捷的棕色狐狸跳过了懒狗。'.repeat(3_000);
    const exact = count(chinese);
    const parts = Math.ceil(chinese.length / 8_192);
    expect(Math.abs(inPieces(chinese, 7).tokens() - exact)).toBeLessThanOrEqual(2 * parts);
  });

  it('counts texts of different keys apart', () => {
    const counted = new TextCount(count);
    for (let i = 0; i < 100; i++) {
      counted.add(0, i === 0 ? 'hello' : ' there');
      counted.add(64, i === 0 ? 'good' : ' day');
    }
    expect(counted.tokens()).toBe(count(`hello${' there'.repeat(99)}`) + count(`good${' day'.repeat(99)}`));
  });

  it('gives the count at any time, and goes on', () => {
    const counted = new TextCount(count);
    counted.add(0, 'hel');
    expect(counted.tokens()).toBe(count('hel'));
    counted.add(0, 'lo world');
    expect(counted.tokens()).toBe(count('hello world'));
    counted.clear();
    expect(counted.tokens()).toBe(0);
  });

  it('never hands more than a few KB at once to the encoder, nor holds them', () => {
    let longest = 0;
    const counter = (text: string): number => {
      longest = Math.max(longest, text.length);
      return 1;
    };
    inPieces('x'.repeat(1_000_000), 1_000_000, counter);
    inPieces('xy '.repeat(100_000), 3, counter);
    expect(longest).toBeLessThanOrEqual(8_192);
  });

  it('holds no more than 16 K characters of all texts together', () => {
    let handedIn = 0;
    const counted = new TextCount((text) => {
      handedIn += text.length;
      return 1;
    });
    for (const key of [0, 64]) counted.add(key, 'x'.repeat(8_000));
    expect(handedIn).toBe(0);
    counted.add(128, 'x'.repeat(8_000));
    expect(handedIn).toBe(24_000);
  });

  it('bounds the number of texts that it keeps apart', () => {
    const counted = new TextCount(count);
    for (let i = 0; i < 10_000; i++) counted.add(i, 'hi');
    expect(counted.tokens()).toBe(10_000);
  });

  it('has a rough count that costs nothing', () => {
    let calls = 0;
    const counted = new TextCount(() => {
      calls++;
      return 1;
    });
    counted.add(0, 'x'.repeat(41));
    expect(counted.roughTokens()).toBe(11);
    expect(calls).toBe(0);
  });
});

describe('cutPoint', () => {
  it('cuts before the first of several blanks, where no token goes across', () => {
    expect(cutPoint('aaa bbb   ccc', 0, 13)).toBe(7);
    expect(cutPoint('aaa\n  bbb', 0, 9)).toBe(9);
    expect(cutPoint('aaa bbbbbb', 5, 10)).toBe(10);
  });

  it('cuts within its bounds and never inside of a character', () => {
    const text = fc.string({ unit: 'binary', minLength: 2, maxLength: 60 });
    fc.assert(
      fc.property(text, fc.nat(60), fc.integer({ min: 2, max: 60 }), (value, from, to) => {
        const end = Math.min(to, value.length);
        const at = cutPoint(value, Math.min(from, end), end);
        expect(at).toBeGreaterThan(0);
        expect(at).toBeLessThanOrEqual(end);
        expect(value.slice(0, at).isWellFormed() && value.slice(at).isWellFormed()).toBe(true);
      }),
    );
  });
});
