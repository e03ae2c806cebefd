import { setTimeout as sleep } from 'node:timers/promises';

/** Gives out turns: one after another, `perSecond` of them each second, shared by all who wait. */
export class Pacer {
  readonly #gapMs: number;
  readonly #nowMs: () => number;
  #nextMs = 0;

  constructor(perSecond: number, nowMs: () => number) {
    this.#gapMs = 1000 / perSecond;
    this.#nowMs = nowMs;
  }

  /**
   * Waits for a turn; false at once, if there is none left before `endMs`. Turns that nobody took are lost: whoever was held up
   * does not catch up.
   */
  async turn(endMs: number): Promise<boolean> {
    const nowMs = this.#nowMs();
    const atMs = Math.max(nowMs, this.#nextMs);
    if (atMs >= endMs) return false;
    this.#nextMs = atMs + this.#gapMs;
    if (atMs > nowMs) await sleep(atMs - nowMs);
    return true;
  }
}

/** Resolves at an instant of this clock or just after it, never before: a timer alone may be a millisecond early. */
export async function untilMs(atMs: number, nowMs: () => number): Promise<void> {
  for (let leftMs = atMs - nowMs(); leftMs > 0; leftMs = atMs - nowMs()) await sleep(Math.ceil(leftMs));
}
