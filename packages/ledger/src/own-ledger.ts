import type { LedgerEntry } from '@nexus/domain';
import { isNearlyFull, type Ledger, type LedgerChange, type LedgerState } from './ledger.ts';
import type { LedgerStore } from './ledger-store.ts';
import { Retention } from './retention.ts';
import type { ModelDay, UsageQuery, UsageRow } from './usage-query.ts';

export interface OwnLedgerOptions {
  /** Closed with the ledger. */
  readonly store: LedgerStore;
  /** How long records are kept, in milliseconds. */
  readonly keepMs: number;
  readonly onChange?: (change: LedgerChange) => void;
  /** How long a record may wait for others to be written with. Default 100. */
  readonly gatherMs?: number;
  /** After a failure, how long until the next try. Default 1,000. */
  readonly retryMs?: number;
  /** How many records may wait; some 50 MB. Default 100,000. */
  readonly maxWaiting?: number | undefined;
}

/** A transaction of so many takes a few tens of milliseconds. */
const MOST_TOGETHER = 1_000;
/** How long closing waits for the last records to be written. */
const CLOSING_MS = 5_000;

/**
 * The ledger of one process: records gather for a moment and are written together, off the path of the requests. While the store can't be
 * written they wait; beyond `maxWaiting`, later ones are lost and counted. A process that is killed loses what it gathered.
 */
export class OwnLedger implements Ledger {
  readonly #options: OwnLedgerOptions;
  readonly #retention: Retention;
  readonly #maxWaiting: number;
  #waiting: LedgerEntry[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isDegraded = false;
  #lost = 0;
  #writing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: OwnLedgerOptions) {
    this.#options = options;
    this.#maxWaiting = options.maxWaiting ?? 100_000;
    this.#retention = new Retention(options.store, options.keepMs);
  }

  record(entry: LedgerEntry): undefined {
    if (this.#isClosed || this.#waiting.length >= this.#maxWaiting) this.#lost += 1;
    else {
      this.#waiting.push(entry);
      this.#writeIn(this.#options.gatherMs ?? 100);
    }
  }

  state(): LedgerState {
    const status = this.#isDegraded ? 'degraded' : 'ok';
    return { status, waiting: this.#waiting.length, lost: this.#lost };
  }

  get isFull(): boolean {
    return isNearlyFull(this.#waiting.length, this.#maxWaiting);
  }

  async usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    await this.#writeNow();
    return this.#options.store.usage(query);
  }

  async modelDays(since: string, until: string): Promise<readonly ModelDay[] | undefined> {
    await this.#writeNow();
    return this.#options.store.modelDays(since, until);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const untilMs = performance.now() + CLOSING_MS;
    while (this.#waiting.length > 0 && performance.now() < untilMs) {
      await this.#writeNow();
      if (this.#isDegraded) break;
    }
    clearTimeout(this.#timer);
    this.#lost += this.#waiting.length;
    this.#waiting = [];
    await this.#retention.close();
    await this.#options.store.close();
  }

  #writeIn(delayMs: number): void {
    this.#timer ??= setTimeout(() => void this.#writeNow(), delayMs).unref();
  }

  #writeNow(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const together = this.#waiting.slice(0, MOST_TOGETHER);
      try {
        await this.#options.store.write(together);
      } catch (cause) {
        this.#fail(cause);
        return;
      }
      this.#waiting = this.#waiting.slice(together.length);
      this.#succeed();
    }
  }

  #fail(cause: unknown): void {
    if (!this.#isClosed) this.#writeIn(this.#options.retryMs ?? 1_000);
    if (this.#isDegraded) return;
    this.#isDegraded = true;
    this.#options.onChange?.({ ...this.state(), cause });
  }

  #succeed(): void {
    if (!this.#isDegraded) return;
    this.#isDegraded = false;
    this.#options.onChange?.(this.state());
  }
}
