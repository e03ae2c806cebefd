/** Ids kept in each of the two halves; a full half ends early. */
const MAX_IDS = 100_000;

/**
 * The ids of requests that ended a short while ago. An id is remembered for at least `keepMs` after its end, unless more
 * than 100,000 requests ended since; and for at most twice as long. Two sets take turns, so nothing is swept.
 */
export class EndedRequests {
  readonly #keepMs: number;
  readonly #maxIds: number;
  #young = new Set<string>();
  #old = new Set<string>();
  #turnMs = 0;

  constructor(keepMs: number, maxIds = MAX_IDS) {
    this.#keepMs = keepMs;
    this.#maxIds = maxIds;
  }

  has(requestId: string): boolean {
    return this.#young.has(requestId) || this.#old.has(requestId);
  }

  add(requestId: string, nowMs: number): void {
    this.turn(nowMs);
    this.#young.add(requestId);
  }

  /** Forgets the ids whose time is over. */
  turn(nowMs: number): void {
    if (nowMs < this.#turnMs && this.#young.size < this.#maxIds) return;
    this.#old = nowMs < this.#turnMs + this.#keepMs ? this.#young : new Set();
    this.#young = new Set();
    this.#turnMs = nowMs + this.#keepMs;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  clear(): void {
    this.#young = new Set();
    this.#old = new Set();
  }
}
