/** Ids kept in each of the two halves; a full half ends early. */
const MAX_IDS = 100_000;

/** Bits of the filter before each half: five for each id that it can have. */
const FILTER_BITS = 2 ** 19;
/** Ids differ at their ends: counters do, and random ones everywhere. */
const END_LENGTH = 8;

/** Some ids: the set itself, and a bit for each of them, which spares nearly every search for an id that isn't there. */
interface Half {
  readonly ids: Set<string>;
  readonly bits: Uint8Array;
}

/**
 * The ids of requests that ended a short while ago. An id is remembered for at least `keepMs` after its end, unless more
 * than 100,000 requests ended since; and for at most twice as long. Two sets take turns, so nothing is swept.
 */
export class EndedRequests {
  readonly #keepMs: number;
  readonly #maxIds: number;
  #young = noIds();
  #old = noIds();
  #turnMs = 0;

  constructor(keepMs: number, maxIds = MAX_IDS) {
    this.#keepMs = keepMs;
    this.#maxIds = maxIds;
  }

  has(requestId: string): boolean {
    const bit = bitOf(requestId);
    return isIn(this.#young, requestId, bit) || isIn(this.#old, requestId, bit);
  }

  add(requestId: string, nowMs: number): void {
    this.turn(nowMs);
    const bit = bitOf(requestId);
    const { ids, bits } = this.#young;
    ids.add(requestId);
    bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7));
  }

  /** Forgets the ids whose time is over. */
  turn(nowMs: number): void {
    if (nowMs < this.#turnMs && this.#young.ids.size < this.#maxIds) return;
    if (this.size > 0) {
      this.#old = nowMs < this.#turnMs + this.#keepMs ? this.#young : noIds();
      this.#young = noIds();
    }
    this.#turnMs = nowMs + this.#keepMs;
  }

  get size(): number {
    return this.#young.ids.size + this.#old.ids.size;
  }

  clear(): void {
    this.#young = noIds();
    this.#old = noIds();
  }
}

function noIds(): Half {
  return { ids: new Set(), bits: new Uint8Array(FILTER_BITS / 8) };
}

function isIn({ ids, bits }: Half, requestId: string, bit: number): boolean {
  return ((bits[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0 && ids.has(requestId);
}

/** Which bit stands for an id. The factor keeps the bits of a counter's neighbours side by side, and apart. */
function bitOf(requestId: string): number {
  let hash = 0;
  for (let at = Math.max(0, requestId.length - END_LENGTH); at < requestId.length; at += 1)
    hash = (Math.imul(hash, 79) + requestId.charCodeAt(at)) | 0;
  return hash & (FILTER_BITS - 1);
}
