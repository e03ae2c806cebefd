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
 * Candidates are ordered by rank · POSITIONS + position, one exact number (ranks < 2^18, positions < 2^31). One whose rank
 * is no longer that of its position is stale and dropped: a part only grows, so no rank comes back.
 */
const POSITIONS = 2 ** 31;

function countByHeap(vocabulary: Vocabulary, text: Uint8Array, from: number, to: number): number {
  const length = to - from;
  // By the offset where a part begins: where the next and the previous part begin, and the rank with the next one.
  const next = new Int32Array(length + 1);
  const previous = new Int32Array(length + 1);
  const ranks = new Int32Array(length + 1).fill(NO_RANK);
  const first = new Float64Array(length);
  let firstCount = 0;
  for (let i = 0; i < length; i++) {
    next[i] = i + 1;
    previous[i] = i - 1;
    if (i + 1 === length) break;
    const rank = vocabulary.rankOf(text, from + i, from + i + 2);
    ranks[i] = rank;
    if (rank !== NO_RANK) first[firstCount++] = rank * POSITIONS + i;
  }
  const candidates = new Candidates(first.subarray(0, firstCount));

  let parts = length;
  for (let lowest = candidates.pop(); lowest >= 0; lowest = candidates.pop()) {
    const rank = Math.floor(lowest / POSITIONS);
    const start = lowest - rank * POSITIONS;
    if (ranks[start] !== rank) continue;
    const joined = next[start] ?? length;
    const end = next[joined] ?? length;
    const behind = end < length ? (next[end] ?? length) : length;
    ranks[joined] = NO_RANK;
    next[start] = end;
    parts--;
    let fresh = NO_RANK;
    if (end < length) {
      previous[end] = start;
      fresh = vocabulary.rankOf(text, from + start, from + behind);
      if (fresh !== NO_RANK) candidates.push(fresh * POSITIONS + start);
    }
    ranks[start] = fresh;
    const before = previous[start] ?? -1;
    if (before < 0) continue;
    fresh = vocabulary.rankOf(text, from + before, from + end);
    ranks[before] = fresh;
    if (fresh !== NO_RANK) candidates.push(fresh * POSITIONS + before);
  }
  return parts;
}

/** Numbers ≥ 0 that leave lowest first: the first ones sorted once, later ones in a binary heap, which so stays small. */
class Candidates {
  readonly #first: Float64Array;
  #head = 0;
  #heap = new Float64Array(64);
  #size = 0;

  constructor(first: Float64Array) {
    this.#first = first.sort();
  }

  push(key: number): void {
    if (this.#size === this.#heap.length) {
      const wider = new Float64Array(this.#size * 2);
      wider.set(this.#heap);
      this.#heap = wider;
    }
    const heap = this.#heap;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] ?? 0;
      if (above <= key) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = key;
  }

  /** The lowest key, taken out; −1 if there is none. */
  pop(): number {
    const first = this.#head < this.#first.length ? (this.#first[this.#head] ?? 0) : Number.POSITIVE_INFINITY;
    if (this.#size === 0 || first < (this.#heap[0] ?? 0)) {
      if (first === Number.POSITIVE_INFINITY) return -1;
      this.#head++;
      return first;
    }
    return this.#popHeap();
  }

  #popHeap(): number {
    const heap = this.#heap;
    const lowest = heap[0] ?? -1;
    const size = --this.#size;
    const key = heap[size] ?? 0;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      let below = heap[child] ?? 0;
      if (child + 1 < size && (heap[child + 1] ?? 0) < below) below = heap[++child] ?? 0;
      if (below >= key) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = key;
    return lowest;
  }
}
