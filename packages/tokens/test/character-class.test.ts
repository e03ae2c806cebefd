import { describe, expect, it } from 'vitest';
import * as classes from '../src/character-class.ts';

describe('classOf', () => {
  it('says of every code point what its Unicode properties say', () => {
    const wrong: string[] = [];
    for (let codePoint = 0; codePoint < 0x110000; codePoint++) {
      if (codePoint >= 0xd800 && codePoint < 0xe000) continue;
      const found = classes.classOf(codePoint);
      const character = String.fromCodePoint(codePoint);
      const bit =
        found === classes.OTHER
          ? /^[^\p{L}\p{M}\p{N}\p{White_Space}]$/u
          : PROPERTY.get(found & ~classes.NEWLINE);
      if (!bit?.test(character)) wrong.push(codePoint.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  it('knows the two line ends', () => {
    const newlines = Array.from({ length: 0x3000 }, (_, i) => i).filter(
      (i) => classes.classOf(i) & classes.NEWLINE,
    );
    expect(newlines).toEqual([10, 13]);
  });
});

const PROPERTY: ReadonlyMap<number, RegExp> = new Map([
  [classes.UPPER, /^[\p{Lu}\p{Lt}]$/u],
  [classes.LOWER, /^\p{Ll}$/u],
  [classes.CASELESS, /^[\p{Lm}\p{Lo}]$/u],
  [classes.MARK, /^\p{M}$/u],
  [classes.NUMBER, /^\p{N}$/u],
  [classes.SPACE, /^\p{White_Space}$/u],
]);
