import { METRICS } from './definitions.ts';
import { HistogramTally } from './histogram-tally.ts';

const EVERY_MS = 20;
/** A longer delay counts as this. */
const LONGEST_MS = 10_000;

/**
 * How late the event loop is. A timer looks every 20 ms; while it couldn't, every look that it missed counts with what it would
 * have waited, so that a second of standstill weighs a second.
 *
 * `perf_hooks.monitorEventLoopDelay` counts a standstill once, tells its own interval as a delay, and can be read by one reader alone.
 */
export class EventLoopDelay {
  readonly tally = new HistogramTally(METRICS.loopDelay.buckets);
  readonly #nowMs: () => number;
  #dueMs: number;
  readonly #timer: NodeJS.Timeout;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#dueMs = nowMs() + EVERY_MS;
    this.#timer = setInterval(() => this.look(), EVERY_MS).unref();
  }

  look(): void {
    const now = this.#nowMs();
    // A timer may fire within a millisecond before its time.
    const lateMs = Math.max(0, Math.min(now - this.#dueMs, LONGEST_MS));
    for (let missedMs = lateMs; missedMs >= 0; missedMs -= EVERY_MS) this.tally.observe(missedMs / 1000);
    this.#dueMs = now + EVERY_MS;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
