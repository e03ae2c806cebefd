/** What Redis' clock shows, as far as its last answer tells: for choosing calendar windows to send, never for deciding. */
export class RedisTime {
  readonly #steadyMs: () => number;
  #aheadMs: number;

  /** @param steadyMs a clock that never jumps, milliseconds from anywhere */
  constructor(steadyMs: () => number, startMs: number) {
    this.#steadyMs = steadyMs;
    this.#aheadMs = startMs - steadyMs();
  }

  /** Takes over the time of an answer that has just come. */
  learn(redisMs: number): void {
    this.#aheadMs = redisMs - this.#steadyMs();
  }

  nowMs(): number {
    return Math.floor(this.#steadyMs() + this.#aheadMs);
  }
}
