import type { LedgerStore } from './ledger-store.ts';

const EVERY_MS = 60 * 60_000;
/** Small steps, with a pause after each: whoever writes records never waits for long. */
const STEP = 500;
const PAUSE_MS = 200;

/** Forgets what is older than it may become: once an hour, in small steps. What fails is tried again an hour later. */
export class Retention {
  readonly #store: Pick<LedgerStore, 'prune'>;
  readonly #keepMs: number;
  #timer: NodeJS.Timeout | undefined;
  #underWay: Promise<void> | undefined;
  #isClosed = false;

  constructor(store: Pick<LedgerStore, 'prune'>, keepMs: number) {
    this.#store = store;
    this.#keepMs = keepMs;
    this.#in(PAUSE_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#underWay;
  }

  #in(delayMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#underWay = this.#step();
    }, delayMs).unref();
  }

  async #step(): Promise<void> {
    const pruned = await this.#store.prune(Date.now() - this.#keepMs, STEP).catch(() => 0);
    this.#in(pruned >= STEP ? PAUSE_MS : EVERY_MS);
  }
}
