// What the encodings' patterns ask of a character, as bits. Tables for 256 code points are made when one of them is
// first met, so the start pays for nothing.

/** \p{Lu} or \p{Lt}. */
export const UPPER = 1;
/** \p{Ll}. */
export const LOWER = 2;
/** \p{Lm} or \p{Lo}: counts as upper and as lower. */
export const CASELESS = 4;
/** \p{M}, which \p{L} does not hold. */
export const MARK = 8;
/** \p{N}. */
export const NUMBER = 16;
/** \p{White_Space}. Not JavaScript's \s, which lacks U+0085 and has U+FEFF. */
export const SPACE = 32;
/** \r or \n; always with SPACE. */
export const NEWLINE = 64;
/** None of the above: punctuation, symbols, control and unassigned characters. */
export const OTHER = 128;

export const LETTER: number = UPPER | LOWER | CASELESS;

const RUNS: readonly (readonly [RegExp, number])[] = [
  [/[\p{Lu}\p{Lt}]+/gu, UPPER],
  [/\p{Ll}+/gu, LOWER],
  [/[\p{Lm}\p{Lo}]+/gu, CASELESS],
  [/\p{M}+/gu, MARK],
  [/\p{N}+/gu, NUMBER],
  [/\p{White_Space}+/gu, SPACE],
];

const blocks: (Uint8Array | undefined)[] = Array.from({ length: 0x110000 >> 8 });

/** Of code points without any class but OTHER; they share one table (most of the planes 4 to 13). */
const nothing: Uint8Array = new Uint8Array(256).fill(OTHER);

function makeBlock(number: number): Uint8Array {
  let made = nothing;
  const first = number << 8;
  // No character has these code points alone; UTF-8 can't hold them.
  if (first >= 0xd800 && first < 0xe000) return nothing;
  const width = first < 0x10000 ? 1 : 2;
  const text = String.fromCodePoint(...Array.from({ length: 256 }, (_, i) => first + i));
  for (const [pattern, bit] of RUNS) {
    for (const run of text.matchAll(pattern)) {
      if (made === nothing) made = nothing.slice();
      made.fill(bit, run.index / width, (run.index + run[0].length) / width);
    }
  }
  if (number === 0) {
    made[10] = SPACE | NEWLINE;
    made[13] = SPACE | NEWLINE;
  }
  return made;
}

/** The classes of a code point below 128, as a table for the innermost loop. */
export const ASCII: Uint8Array = makeBlock(0).slice(0, 128);

/** The classes of any code point that UTF-8 can hold. */
export function classOf(codePoint: number): number {
  const number = codePoint >> 8;
  let block = blocks[number];
  if (block === undefined) {
    block = makeBlock(number);
    blocks[number] = block;
  }
  return block[codePoint & 255] ?? OTHER;
}
