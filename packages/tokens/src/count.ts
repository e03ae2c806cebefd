import { countMerged } from './byte-pairs.ts';
import type { EncodingName } from './encoding.ts';
import { PRETOKENS } from './pretoken.ts';
import { hashOf, loadVocabulary, NO_RANK, Vocabulary, type VocabularyMemory } from './vocabulary.ts';

/**
 * Counts of pretokens that took merging, remembered by their hash, the newest in each place: fixed memory
 * (some 330 KB an encoding), nothing for the garbage collector, and a text made to miss it costs no more than without it.
 */
const PLACES = 8192;
const REMEMBERED_BYTES = 32;

interface Counter {
  readonly vocabulary: Vocabulary;
  readonly lengths: Uint8Array;
  readonly counts: Uint8Array;
  readonly bytes: Uint8Array;
}

const counters: Record<EncodingName, Counter | undefined> = {
  o200k_base: undefined,
  cl100k_base: undefined,
};

function counterOf(name: EncodingName): Counter {
  return counters[name] ?? remember(loadVocabulary(name));
}

function remember(vocabulary: Vocabulary): Counter {
  const counter: Counter = {
    vocabulary,
    lengths: new Uint8Array(PLACES),
    counts: new Uint8Array(PLACES),
    bytes: new Uint8Array(PLACES * REMEMBERED_BYTES),
  };
  counters[vocabulary.memory.name] = counter;
  return counter;
}

/** The encoding's vocabulary, loaded now (it blocks for some 30 ms) if this thread hasn't it yet. */
export function vocabularyMemory(name: EncodingName): VocabularyMemory {
  return counterOf(name).vocabulary.memory;
}

/** Uses a vocabulary that another thread has loaded. */
export function adoptVocabulary(memory: VocabularyMemory): void {
  if (counters[memory.name] === undefined) remember(new Vocabulary(memory));
}

/** Whether `countTokens` can count this encoding without loading it first. */
export function hasVocabulary(name: EncodingName): boolean {
  return counters[name] !== undefined;
}

const encoder = new TextEncoder();
/** Holds the UTF-8 of texts up to a third of this many characters; longer ones get memory of their own. */
const scratch = new Uint8Array(64 * 1024);

/**
 * How many tokens `text` is in the encoding. `<|endoftext|>` and its like are plain text; a lone surrogate counts as
 * U+FFFD, as every encoder does. O(n log n) at worst, some 50 ns a token on ordinary text. The first call for an encoding loads it.
 */
export function countTokens(text: string, encoding: EncodingName): number {
  if (text.length === 0) return 0;
  const counter = counterOf(encoding);
  if (text.length * 3 > scratch.length) {
    const bytes = encoder.encode(text);
    return countBytes(counter, bytes, bytes.length, encoding);
  }
  return countBytes(counter, scratch, encoder.encodeInto(text, scratch).written, encoding);
}

function countBytes(counter: Counter, text: Uint8Array, length: number, encoding: EncodingName): number {
  const { vocabulary } = counter;
  const next = PRETOKENS[encoding];
  let tokens = 0;
  for (let from = 0; from < length; ) {
    const to = next(text, from, length);
    tokens += to - from === 1 ? 1 : countPretoken(counter, vocabulary, text, from, to);
    from = to;
  }
  return tokens;
}

function countPretoken(
  counter: Counter,
  vocabulary: Vocabulary,
  text: Uint8Array,
  from: number,
  to: number,
): number {
  const size = to - from;
  if (size > vocabulary.longest) return countMerged(vocabulary, text, from, to);
  const hash = hashOf(text, from, to);
  if (vocabulary.rankOfHashed(text, from, to, hash) !== NO_RANK) return 1;
  if (size > REMEMBERED_BYTES) return countMerged(vocabulary, text, from, to);
  const place = hash & (PLACES - 1);
  const start = place * REMEMBERED_BYTES;
  if (counter.lengths[place] === size) {
    let i = 0;
    while (i < size && counter.bytes[start + i] === text[from + i]) i++;
    if (i === size) return counter.counts[place] ?? 0;
  }
  const count = countMerged(vocabulary, text, from, to);
  counter.lengths[place] = size;
  counter.counts[place] = count;
  for (let i = 0; i < size; i++) counter.bytes[start + i] = text[from + i] ?? 0;
  return count;
}
