// The byte-pair vocabularies in flat, shared memory: about 4 MB for o200k_base where a Map of strings takes 30 MB, and the
// same memory serves every thread. A token is found by an open-addressing hash over its bytes.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { EncodingName } from './encoding.ts';

/** What crosses from one thread to another: the memory, not a copy of it. */
export interface VocabularyMemory {
  readonly name: EncodingName;
  /** All tokens' bytes, one after another, in order of rank. */
  readonly bytes: SharedArrayBuffer;
  /** Uint32 per rank, and one past the end: where a token's bytes begin. */
  readonly starts: SharedArrayBuffer;
  /** Int32 per slot, a power of two of them: rank + 1, or 0 for a free slot. */
  readonly slots: SharedArrayBuffer;
  /** Int32 for each pair of bytes (first · 256 + second): its rank, or NO_RANK. */
  readonly pairs: SharedArrayBuffer;
  /** Bytes of the longest token. */
  readonly longest: number;
}

/** Greater than every rank. */
export const NO_RANK = 0x7fffffff;

const FNV_BASIS = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** FNV-1a of bytes[from, to), its high bits folded into the low ones that choose the slot. */
export function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = FNV_BASIS;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), FNV_PRIME);
  return hash ^ (hash >>> 15);
}

export class Vocabulary {
  readonly memory: VocabularyMemory;
  readonly longest: number;
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #slots: Int32Array;
  readonly #pairs: Int32Array;
  readonly #mask: number;

  constructor(memory: VocabularyMemory) {
    this.memory = memory;
    this.longest = memory.longest;
    this.#bytes = new Uint8Array(memory.bytes);
    this.#starts = new Uint32Array(memory.starts);
    this.#slots = new Int32Array(memory.slots);
    this.#pairs = new Int32Array(memory.pairs);
    this.#mask = this.#slots.length - 1;
  }

  /** The rank of the token text[from, to) whose hash is known; NO_RANK if it is no token. */
  rankOfHashed(text: Uint8Array, from: number, to: number, hash: number): number {
    const length = to - from;
    if (length > this.longest) return NO_RANK;
    const bytes = this.#bytes;
    const starts = this.#starts;
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] ?? 0;
      if (entry === 0) return NO_RANK;
      const start = starts[entry - 1] ?? 0;
      if ((starts[entry] ?? 0) - start !== length) continue;
      let i = 0;
      while (i < length && bytes[start + i] === text[from + i]) i++;
      if (i === length) return entry - 1;
    }
  }

  /** The rank of the token text[from, to), to > from; NO_RANK if it is no token. */
  rankOf(text: Uint8Array, from: number, to: number): number {
    const length = to - from;
    if (length === 2) return this.#pairs[((text[from] ?? 0) << 8) | (text[from + 1] ?? 0)] ?? NO_RANK;
    if (length > this.longest) return NO_RANK;
    return this.rankOfHashed(text, from, to, hashOf(text, from, to));
  }
}

/**
 * Reads a rank file of @dqbd/tiktoken. Its `bpe_ranks` are lines of `! FIRST TOKEN TOKEN …`: base64 of the tokens whose ranks
 * are FIRST, FIRST + 1, … Blocks the thread for the time it takes (some 30 ms for o200k_base).
 */
export function loadVocabulary(name: EncodingName): Vocabulary {
  const path = createRequire(import.meta.url).resolve(`@dqbd/tiktoken/encoders/${name}.json`);
  const file: unknown = JSON.parse(readFileSync(path, 'latin1'));
  if (
    typeof file !== 'object' ||
    file === null ||
    !('bpe_ranks' in file) ||
    typeof file.bpe_ranks !== 'string'
  ) {
    throw new Error(`The rank file of ${name} has no bpe_ranks.`);
  }
  return new Vocabulary(build(name, file.bpe_ranks));
}

function build(name: EncodingName, ranks: string): VocabularyMemory {
  const source = Buffer.from(ranks, 'latin1');
  const bytes = new Uint8Array(source.length);
  const starts: number[] = [0];
  let used = 0;
  let longest = 0;
  for (let at = 0; at < source.length; ) {
    const lineEnd = source.indexOf(10, at) < 0 ? source.length : source.indexOf(10, at);
    const firstEnd = source.indexOf(32, at + 2);
    const first = Number(source.toString('latin1', at + 2, firstEnd));
    // A rank that no token has keeps an empty place: nothing has no bytes, so it is never found.
    while (starts.length <= first) starts.push(used);
    if (starts.length - 1 !== first) throw new Error(`The rank file of ${name} lists ranks out of order.`);
    for (let i = firstEnd + 1; i < lineEnd; ) {
      const begin = used;
      let bits = 0;
      let held = 0;
      for (; i < lineEnd && source[i] !== 32; i++) {
        const sextet = SEXTETS[source[i] ?? 0] ?? 64;
        if (sextet === 64) continue;
        bits = ((bits << 6) | sextet) & 0xffff;
        held += 6;
        if (held >= 8) {
          held -= 8;
          bytes[used++] = bits >> held;
        }
      }
      i++;
      longest = Math.max(longest, used - begin);
      starts.push(used);
    }
    at = lineEnd + 1;
  }
  return index(name, bytes.subarray(0, used), Uint32Array.from(starts), longest);
}

function index(
  name: EncodingName,
  bytes: Uint8Array,
  starts: Uint32Array,
  longest: number,
): VocabularyMemory {
  const tokens = starts.length - 1;
  // At most 40 % full: short probes.
  const slots = new Int32Array(new SharedArrayBuffer(4 * 2 ** Math.ceil(Math.log2(tokens * 2.5))));
  const pairs = new Int32Array(new SharedArrayBuffer(4 * 65_536)).fill(NO_RANK);
  const mask = slots.length - 1;
  for (let rank = 0; rank < tokens; rank++) {
    const from = starts[rank] ?? 0;
    const to = starts[rank + 1] ?? 0;
    if (from === to) continue;
    if (to - from === 2) pairs[((bytes[from] ?? 0) << 8) | (bytes[from + 1] ?? 0)] = rank;
    let slot = hashOf(bytes, from, to) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = rank + 1;
  }
  const sharedBytes = new SharedArrayBuffer(bytes.length);
  new Uint8Array(sharedBytes).set(bytes);
  const sharedStarts = new SharedArrayBuffer(4 * starts.length);
  new Uint32Array(sharedStarts).set(starts);
  return {
    name,
    bytes: sharedBytes,
    starts: sharedStarts,
    slots: slots.buffer,
    pairs: pairs.buffer,
    longest,
  };
}

/** The value of each base64 digit, 64 for every other character (RFC 4648 §4). */
const SEXTETS: Uint8Array = new Uint8Array(256).fill(64);
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries()) {
  SEXTETS[digit.charCodeAt(0)] = value;
}
