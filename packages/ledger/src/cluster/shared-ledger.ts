import type { LedgerEntry } from '@nexus/domain';
import type { Ledger, LedgerState } from '../ledger.ts';
import type { LedgerStore, UsageSource } from '../ledger-store.ts';
import { Retention } from '../retention.ts';
import type { ModelDay, UsageQuery, UsageRow } from '../usage-query.ts';
import { entryText } from './entry-text.ts';
import { RollUps, type RollUpsOptions } from './roll-ups.ts';
import { StoreSink } from './sink.ts';
import { StreamDrain, type StreamDrainOptions } from './stream-drain.ts';

export interface SharedLedgerOptions
  extends Omit<RollUpsOptions, 'mostRows'>,
    Omit<StreamDrainOptions, 'sink'> {
  /** Where records are kept, closed with the ledger; absent: their days' sums are, in Redis. */
  readonly store?: LedgerStore | undefined;
  /** Called when the ledger is closed. */
  readonly onClosed?: () => void;
}

/**
 * The ledger of instances that share a Redis. The limiter writes each record into a stream, in the step that ends the request; every instance takes
 * part in draining it.
 */
export class SharedLedger implements Ledger {
  readonly #source: UsageSource;
  readonly #drain: StreamDrain;
  readonly #retention: Retention | undefined;
  readonly #onClosed: () => void;

  constructor(options: SharedLedgerOptions) {
    const { store, redis, keys, keepMs, onClosed = () => {} } = options;
    const rollUps = new RollUps(options);
    this.#source = store ?? rollUps;
    this.#drain = new StreamDrain({ ...options, sink: store ? new StoreSink(store, redis, keys) : rollUps });
    this.#retention = store && new Retention(store, keepMs);
    this.#onClosed = onClosed;
  }

  record(entry: LedgerEntry): string {
    return entryText(entry);
  }

  state(): LedgerState {
    return this.#drain.state();
  }

  get isFull(): boolean {
    return this.#drain.isFull;
  }

  usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    return this.#source.usage(query);
  }

  modelDays(since: string, until: string): Promise<readonly ModelDay[] | undefined> {
    return this.#source.modelDays(since, until);
  }

  async close(): Promise<void> {
    await this.#drain.close();
    await this.#retention?.close();
    await this.#source.close();
    this.#onClosed();
  }
}
