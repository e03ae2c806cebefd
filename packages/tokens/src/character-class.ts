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

const CLASSED = /[\p{L}\p{M}\p{N}\p{White_Space}]/u;

/** Every character is in at most one of these; the commonest first. */
const RUNS: readonly (readonly [RegExp, number])[] = [
  [/[\p{Lm}\p{Lo}]+/gu, CASELESS],
  [/[\p{Lu}\p{Lt}]+/gu, UPPER],
  [/\p{Ll}+/gu, LOWER],
  [/\p{M}+/gu, MARK],
  [/\p{N}+/gu, NUMBER],
  [/\p{White_Space}+/gu, SPACE],
];

/** By code point / 256; made when first needed. */
const blocks: (Uint8Array | undefined)[] = Array.from({ length: 0x110000 >> 8 });

/** The table of blocks in which everything is OTHER. */
const nothing: Uint8Array = new Uint8Array(256).fill(OTHER);

/** Planes 4 to 13 hold no characters; 15 and 16 hold private ones alone (Unicode 17, Blocks.txt). */
function isEmptyPlane(codePoint: number): boolean {
  return codePoint >= 0x40000 && (codePoint < 0xe0000 || codePoint >= 0xf0000);
}

/** Some 10 µs. */
function makeBlock(number: number): Uint8Array {
  const first = number << 8;
  // Surrogates are no characters of their own: UTF-8 can't hold them.
  if (isEmptyPlane(first) || (first >= 0xd800 && first < 0xe000)) return nothing;
  const width = first < 0x10000 ? 1 : 2;
  const units = Buffer.alloc(512 * width);
  for (let i = 0; i < 256; i++) {
    if (width === 1) {
      units.writeUInt16LE(first + i, 2 * i);
    } else {
      const rest = first + i - 0x10000;
      units.writeUInt16LE(0xd800 | (rest >> 10), 4 * i);
      units.writeUInt16LE(0xdc00 | (rest & 0x3ff), 4 * i + 2);
    }
  }
  const text = units.toString('utf16le');
  if (!CLASSED.test(text)) return nothing;
  const made = nothing.slice();
  let left = 256;
  for (const [pattern, bit] of RUNS) {
    for (const run of text.matchAll(pattern)) {
      const from = run.index / width;
      const to = from + run[0].length / width;
      made.fill(bit, from, to);
      left -= to - from;
    }
    if (left === 0) break;
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

/** Makes the tables ahead, 32 a step (some 0.5 ms): a text that needs them all would wait some 30 ms for them. */
export function* warmCharacterClasses(): Generator<void> {
  for (let number = 0; number < blocks.length; number++) {
    if (isEmptyPlane(number << 8)) continue;
    classOf(number << 8);
    if (number % 32 === 31) yield;
  }
}
