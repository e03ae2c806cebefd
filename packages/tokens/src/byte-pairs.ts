// How many tokens one pretoken is: pairs of neighbours are merged, the lowest rank first, of equal ranks the leftmost,
// until no pair is a token. A plain scan for the lowest rank is quadratic, and fastest for short pretokens; a heap
// keeps long ones at O(n log n): 100 KB of one letter are one pretoken.
import { NO_RANK, type Vocabulary } from './vocabulary.ts';

/** Bytes above which a pretoken goes through the heap; measured, the two cost the same at about this length. */
const SCAN_BYTES = 96;

/** Scratch of the scan: where each part begins, and the rank of it with its right neighbour. */
const partStarts = new Int32Array(SCAN_BYTES + 1);
const partRanks = new Int32Array(SCAN_BYTES + 1);

/** The tokens of text[from, to), which is no token as a whole and at least 2 bytes long. */
export function countMerged(vocabulary: Vocabulary, text: Uint8Array, from: number, to: number): number {
  return to - from <= SCAN_BYTES
    ? countByScan(vocabulary, text, from, to)
    : countByHeap(vocabulary, text, from, to);
}

function countByScan(vocabulary: Vocabulary, text: Uint8Array, from: number, to: number): number {
  const starts = partStarts;
  const ranks = partRanks;
  let parts = to - from;
  for (let i = 0; i < parts; i++) {
    starts[i] = from + i;
    ranks[i] = i + 1 < parts ? vocabulary.rankOf(text, from + i, from + i + 2) : NO_RANK;
  }
  starts[parts] = to;
  for (;;) {
    let lowest = NO_RANK;
    let at = 0;
    for (let i = 0; i < parts - 1; i++) {
      const rank = ranks[i] ?? NO_RANK;
      if (rank < lowest) {
        lowest = rank;
        at = i;
      }
    }
    if (lowest === NO_RANK) return parts;
    // Part at + 1 joins part at; those behind move up.
    parts--;
    starts.copyWithin(at + 1, at + 2, parts + 2);
    ranks.copyWithin(at, at + 1, parts + 1);
    ranks[at] = at + 1 < parts ? vocabulary.rankOf(text, starts[at] ?? 0, starts[at + 2] ?? 0) : NO_RANK;
    if (at > 0) ranks[at - 1] = vocabulary.rankOf(text, starts[at - 1] ?? 0, starts[at + 1] ?? 0);
  }
}

/**
 * The heap orders candidates by rank · POSITIONS + position, one exact number (ranks < 2^18, positions < 2^31). A candidate
 * whose rank is no longer that of its position is stale and dropped: a part only grows, so no rank comes back.
 */
const POSITIONS = 2 ** 31;

function countByHeap(vocabulary: Vocabulary, text: Uint8Array, from: number, to: number): number {
  const length = to - from;
  // By the offset where a part begins: where the next and the previous part begin, and the rank with the next one.
  const next = new Int32Array(length + 1);
  const previous = new Int32Array(length + 1);
  const ranks = new Int32Array(length + 1).fill(NO_RANK);
  const heap = new CandidateHeap(length);
  for (let i = 0; i < length; i++) {
    next[i] = i + 1;
    previous[i] = i - 1;
    const rank = i + 1 < length ? vocabulary.rankOf(text, from + i, from + i + 2) : NO_RANK;
    ranks[i] = rank;
    if (rank !== NO_RANK) heap.append(rank * POSITIONS + i);
  }
  heap.order();

  let parts = length;
  const rerank = (start: number): void => {
    const second = next[start] ?? length;
    const end = second < length ? (next[second] ?? length) : -1;
    const rank = end < 0 ? NO_RANK : vocabulary.rankOf(text, from + start, from + end);
    ranks[start] = rank;
    if (rank !== NO_RANK) heap.push(rank * POSITIONS + start);
  };
  for (;;) {
    const lowest = heap.pop();
    if (lowest < 0) return parts;
    const rank = Math.floor(lowest / POSITIONS);
    const start = lowest - rank * POSITIONS;
    if (ranks[start] !== rank) continue;
    const joined = next[start] ?? length;
    const behind = next[joined] ?? length;
    ranks[joined] = NO_RANK;
    next[start] = behind;
    if (behind < length) previous[behind] = start;
    parts--;
    rerank(start);
    const before = previous[start] ?? -1;
    if (before >= 0) rerank(before);
  }
}

/** A binary heap of numbers ≥ 0, lowest first. */
class CandidateHeap {
  #keys: Float64Array;
  #size = 0;

  constructor(capacity: number) {
    this.#keys = new Float64Array(Math.max(16, capacity));
  }

  /** Adds without keeping the order; `order` restores it. */
  append(key: number): void {
    if (this.#size === this.#keys.length) {
      const wider = new Float64Array(this.#size * 2);
      wider.set(this.#keys);
      this.#keys = wider;
    }
    this.#keys[this.#size++] = key;
  }

  order(): void {
    // A sorted array is a heap, and the native sort of typed arrays is faster than sifting.
    this.#keys.subarray(0, this.#size).sort();
  }

  push(key: number): void {
    this.append(key);
    const keys = this.#keys;
    let at = this.#size - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = keys[parent] ?? 0;
      if (above <= key) break;
      keys[at] = above;
      at = parent;
    }
    keys[at] = key;
  }

  /** The lowest key, taken out; −1 if there is none. */
  pop(): number {
    if (this.#size === 0) return -1;
    const keys = this.#keys;
    const lowest = keys[0] ?? -1;
    const key = keys[--this.#size] ?? 0;
    const size = this.#size;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      let below = keys[child] ?? 0;
      if (child + 1 < size && (keys[child + 1] ?? 0) < below) below = keys[++child] ?? 0;
      if (below >= key) break;
      keys[at] = below;
      at = child;
    }
    keys[at] = key;
    return lowest;
  }
}
