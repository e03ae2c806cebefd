// Where a text is cut before byte pairs are merged. The encodings define it by a backtracking pattern (`pat_str` in their
// rank files); this scanner finds the same cuts in UTF-8 bytes, passing each byte at most a few times, whatever the text.
// The tests hold it equal to the patterns.
import {
  ASCII,
  CASELESS,
  classOf,
  LETTER,
  LOWER,
  MARK,
  NEWLINE,
  NUMBER,
  OTHER,
  SPACE,
  UPPER,
} from './character-class.ts';
import type { EncodingName } from './encoding.ts';

const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const BLANK = 0x20;
const UPPERISH = UPPER | CASELESS | MARK;
const LOWERISH = LOWER | CASELESS | MARK;

/** Bytes of the character that begins with this byte, in valid UTF-8 (RFC 3629). */
function widthOf(lead: number): number {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** The classes of the character that begins at `at`. */
function classAt(text: Uint8Array, at: number): number {
  const lead = text[at] ?? 0;
  if (lead < 0x80) return ASCII[lead] ?? OTHER;
  const second = (text[at + 1] ?? 0) & 0x3f;
  if (lead < 0xe0) return classOf(((lead & 0x1f) << 6) | second);
  const third = (text[at + 2] ?? 0) & 0x3f;
  if (lead < 0xf0) return classOf(((lead & 0x0f) << 12) | (second << 6) | third);
  return classOf(((lead & 0x07) << 18) | (second << 12) | (third << 6) | ((text[at + 3] ?? 0) & 0x3f));
}

/** The end of the run of characters of these classes that begins at `at`; `at` if there is none. */
function endOfRun(text: Uint8Array, from: number, end: number, classes: number): number {
  let at = from;
  while (at < end && (classAt(text, at) & classes) !== 0) at += widthOf(text[at] ?? 0);
  return at;
}

/**
 * The bytes of `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at `at`, 0 if it isn't there. Ignoring case, s is also U+017F, the long s.
 */
function contraction(text: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end || text[at] !== APOSTROPHE) return 0;
  const first = (text[at + 1] ?? 0) | 0x20;
  if (text[at + 1] === 0xc5) return text[at + 2] === 0xbf ? 3 : 0;
  if (first > 0x7f) return 0;
  if (first === 0x73 || first === 0x74 || first === 0x6d || first === 0x64) return 2; // s t m d
  if (at + 2 >= end || (text[at + 2] ?? 0) > 0x7f) return 0;
  const second = (text[at + 2] ?? 0) | 0x20;
  if (second === 0x65 && (first === 0x72 || first === 0x76)) return 3; // re ve
  return first === 0x6c && second === 0x6c ? 3 : 0; // ll
}

/**
 * The end of `[upperish]*[lowerish]+` or else `[upperish]+[lowerish]*` at `at`, `at` if neither is there. Greedy, and
 * the first one gives back characters to end on a lowerish one: after `ABCあDE` that is behind `あ`.
 * `onlyFirst` leaves the second one out.
 */
function endOfWord(text: Uint8Array, from: number, end: number, onlyFirst: boolean): number {
  let at = from;
  let lastCaseless = from;
  while (at < end) {
    const classes = classAt(text, at);
    if ((classes & UPPERISH) === 0) {
      if ((classes & LOWER) !== 0) return endOfRun(text, at, end, LOWERISH);
      break;
    }
    at += widthOf(text[at] ?? 0);
    if ((classes & UPPER) === 0) lastCaseless = at;
  }
  return lastCaseless > from || onlyFirst ? lastCaseless : at;
}

/** `\p{N}{1,3}` at `at`, where a number stands. */
function endOfNumber(text: Uint8Array, from: number, end: number): number {
  let at = from;
  for (let digits = 0; digits < 3 && at < end && (classAt(text, at) & NUMBER) !== 0; digits++) {
    at += widthOf(text[at] ?? 0);
  }
  return at;
}

/** `\s*[\r\n]+|\s+(?!\S)|\s+` at `at`, where a white space stands. */
function endOfSpace(text: Uint8Array, from: number, end: number): number {
  let at = from;
  let last = from;
  let behindNewline = -1;
  while (at < end) {
    const classes = classAt(text, at);
    if ((classes & SPACE) === 0) break;
    last = at;
    at += widthOf(text[at] ?? 0);
    if ((classes & NEWLINE) !== 0) behindNewline = at;
  }
  if (behindNewline >= 0) return behindNewline;
  // The last white space before a word belongs to the word, unless it is the only one.
  return at === end || last === from ? at : last;
}

/** ` ?[^\s\p{L}\p{N}]+[\r\n/]*` at `at` (cl100k_base: without the slash); `at` if it isn't there. */
function endOfSymbols(text: Uint8Array, from: number, end: number, slash: number): number {
  const first = text[from] === BLANK ? from + 1 : from;
  let at = endOfRun(text, first, end, OTHER | MARK);
  if (at === first) return from;
  while (at < end && (text[at] === 10 || text[at] === 13 || text[at] === slash)) at++;
  return at;
}

function nextO200k(text: Uint8Array, from: number, end: number): number {
  const classes = classAt(text, from);
  let at = from;
  if ((classes & LETTER) !== 0) {
    at = endOfWord(text, from, end, false);
  } else if ((classes & (NUMBER | NEWLINE)) === 0) {
    // Any other character may lead a word. A mark may also be one by itself: that comes before a mark that leads capitals.
    const second = from + widthOf(text[from] ?? 0);
    const isMark = (classes & MARK) !== 0;
    const behind = endOfWord(text, second, end, isMark);
    if (behind > second) at = behind;
    else if (isMark) at = second;
  }
  if (at > from) return at + contraction(text, at, end);
  if ((classes & NUMBER) !== 0) return endOfNumber(text, from, end);
  const symbols = endOfSymbols(text, from, end, SLASH);
  return symbols > from ? symbols : endOfSpace(text, from, end);
}

function nextCl100k(text: Uint8Array, from: number, end: number): number {
  const short = contraction(text, from, end);
  if (short > 0) return from + short;
  const classes = classAt(text, from);
  if ((classes & NUMBER) !== 0) return endOfNumber(text, from, end);
  if ((classes & LETTER) !== 0) return endOfRun(text, from, end, LETTER);
  if ((classes & NEWLINE) === 0) {
    const second = from + widthOf(text[from] ?? 0);
    const behind = endOfRun(text, second, end, LETTER);
    if (behind > second) return behind;
  }
  const symbols = endOfSymbols(text, from, end, 0x0a);
  return symbols > from ? symbols : endOfSpace(text, from, end);
}

/** Where the pretoken ends that begins at `from`, in valid UTF-8 that ends at `end`; always > from. */
export type NextPretoken = (text: Uint8Array, from: number, end: number) => number;

export const PRETOKENS: Readonly<Record<EncodingName, NextPretoken>> = {
  o200k_base: nextO200k,
  cl100k_base: nextCl100k,
};
