/** Retries that each request earns. */
const PER_REQUEST = 0.1;
/** Retries a second beyond that, so that a quiet upstream has some. */
const PER_SECOND = 2;
/** The most that are saved up. */
const MOST_SAVED = 10;

/**
 * How often requests may be sent again: in any time of `t` seconds with `n` requests, at most `10 + n / 10 + 2 t`. An upstream that fails
 * under its load doesn't get twice that load from its retries.
 */
export class RetryBudget {
  readonly #nowMs: () => number;
  #saved = MOST_SAVED;
  #refilledMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#refilledMs = nowMs();
  }

  /** A request came. */
  earn(): void {
    this.#saved = Math.min(MOST_SAVED, this.#saved + PER_REQUEST);
  }

  /** Takes one retry; false: there is none. */
  take(): boolean {
    const now = this.#nowMs();
    const earned = (Math.max(0, now - this.#refilledMs) / 1_000) * PER_SECOND;
    this.#refilledMs = now;
    this.#saved = Math.min(MOST_SAVED, this.#saved + earned);
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }
}
