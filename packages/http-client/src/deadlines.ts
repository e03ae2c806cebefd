/** What is told that its time is up. */
export interface Waiting {
  timeIsUp(): void;
}

/** Node's timers can wait no longer. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One timer for all that wait equally long: who came first is due first. */
export class Deadlines<T extends Waiting> {
  readonly #waitMs: number;
  readonly #dueMs = new Map<T, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Lets it wait, from now on. */
  start(waiting: T): void {
    this.#dueMs.set(waiting, performance.now() + this.#waitMs);
    if (this.#timer === undefined) this.#arm(this.#waitMs);
  }

  /** What it waited for has come. */
  stop(waiting: T): void {
    this.#dueMs.delete(waiting);
  }

  /** Nobody waits any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueMs.clear();
  }

  #arm(inMs: number): void {
    // After a turn that was long the timers come first: what has arrived meanwhile is to be read before anything is late.
    const check = () => setImmediate(() => this.#check());
    this.#timer = setTimeout(check, Math.min(Math.ceil(inMs), LONGEST_TIMER_MS));
    this.#timer.unref();
  }

  #check(): void {
    this.#timer = undefined;
    const now = performance.now();
    const due: T[] = [];
    for (const [waiting, dueMs] of this.#dueMs) {
      if (dueMs > now) {
        this.#arm(dueMs - now);
        break;
      }
      due.push(waiting);
    }
    for (const waiting of due) {
      this.#dueMs.delete(waiting);
      waiting.timeIsUp();
    }
  }
}
