import { setTimeout as later } from 'node:timers';
import type { BudgetRecord } from './budget-record.ts';
import { isBudget, type KeptRecord } from './kept-record.ts';
import type { KeyChanges, KeyKeeper, Position } from './key-keeper.ts';
import type { KeyRecord } from './key-record.ts';

/** One secret of an issued key, as the way to a principal needs it. The same object for as long as the key doesn't change. */
export interface IssuedSecret {
  readonly record: KeyRecord;
  /** It is refused from this instant on (milliseconds since 1970); 0: always. */
  readonly endsMs: number;
}

/** Whether an instance knows the keys as they are. */
export interface IssuedKeysState {
  /** `away`: the store can't be reached, and the keys are those of the last time. */
  readonly status: 'ok' | 'away';
  readonly keys: number;
  /** How long ago they were last known to be right; absent where they never were. */
  readonly ageMs?: number;
}

export interface IssuedKeysOptions {
  readonly keeper: Pick<KeyKeeper, 'changes' | 'restore'>;
  /** A clock that never jumps, in milliseconds. */
  readonly nowMs: () => number;
  /** Default 500: with the call itself, a change is known everywhere within a second. */
  readonly everyMs?: number;
  /** Hears of each change of the state, and of records that were written back into a store that had lost them. */
  readonly onChange: (change: IssuedKeysChange) => void;
}

export type IssuedKeysChange =
  | { readonly what: 'away'; readonly cause: unknown }
  | { readonly what: 'back' }
  | { readonly what: 'restored'; readonly records: number };

const EVERY_MS = 500;

/**
 * All issued keys, and the budgets that were changed, as one instance knows them. It asks the keeper again and again; while that is away it keeps what it knows. A keeper
 * that has lost what it knew, such as a Redis without disk that was started again, gets it back.
 */
export class IssuedKeys {
  readonly #options: IssuedKeysOptions;
  readonly #records = new Map<string, KeyRecord>();
  readonly #budgets = new Map<string, BudgetRecord>();
  readonly #secrets = new Map<string, IssuedSecret>();
  #version = 0;
  #position: Position | undefined;
  #rightMs: number | undefined;
  #isAway = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #asking: Promise<void> | undefined;

  constructor(options: IssuedKeysOptions) {
    this.#options = options;
  }

  /** Changes with every change of any key or budget: what was looked up before may be wrong since. */
  get version(): number {
    return this.#version;
  }

  /** False: the store was never reached, so that an unknown key may be one. */
  get isKnown(): boolean {
    return this.#rightMs !== undefined;
  }

  /** By the hash of the whole key. */
  find(hash: string): IssuedSecret | undefined {
    return this.#secrets.get(hash);
  }

  /** All of them, refused ones too. */
  records(): Iterable<KeyRecord> {
    return this.#records.values();
  }

  byId(id: string): KeyRecord | undefined {
    return this.#records.get(id);
  }

  /** The budgets that were changed, those whose change was taken back too. */
  budgets(): Iterable<BudgetRecord> {
    return this.#budgets.values();
  }

  state(): IssuedKeysState {
    return {
      status: this.#isAway || !this.isKnown ? 'away' : 'ok',
      keys: this.#records.size,
      ...(this.#rightMs === undefined ? {} : { ageMs: this.#options.nowMs() - this.#rightMs }),
    };
  }

  /** Asks now and from now on. Resolves after the first answer or failure. */
  async start(): Promise<void> {
    await this.refresh();
    this.#next();
  }

  #next(): void {
    if (this.#isClosed) return;
    this.#timer = later(() => {
      void this.refresh().then(() => this.#next());
    }, this.#options.everyMs ?? EVERY_MS).unref();
  }

  /** Asks the keeper for what has changed. Never rejects. */
  async refresh(): Promise<void> {
    // Two at once could take over an older answer after a newer one.
    while (this.#asking) await this.#asking;
    this.#asking = this.#ask();
    await this.#asking;
    this.#asking = undefined;
  }

  async #ask(): Promise<void> {
    const { keeper, nowMs, onChange } = this.#options;
    const askedMs = nowMs();
    try {
      const changes = await keeper.changes(this.#position);
      const lost = this.#position !== undefined && changes.isWhole ? this.#missingIn(changes) : [];
      if (lost.length > 0) {
        await keeper.restore(lost);
        this.#take(await keeper.changes(undefined));
        onChange({ what: 'restored', records: lost.length });
      } else this.#take(changes);
      this.#rightMs = askedMs;
      if (this.#isAway) onChange({ what: 'back' });
      this.#isAway = false;
    } catch (error) {
      if (this.#isClosed) return;
      if (!this.#isAway) onChange({ what: 'away', cause: error });
      this.#isAway = true;
    }
  }

  /** Those of ours that the keeper lacks or has in an earlier revision. */
  #missingIn({ records }: KeyChanges): KeptRecord[] {
    const revisions = new Map(records.map(({ id, revision }) => [id, revision]));
    return [...this.#records.values(), ...this.#budgets.values()].filter(
      ({ id, revision }) => (revisions.get(id) ?? 0) < revision,
    );
  }

  #take({ position, isWhole, records }: KeyChanges): void {
    this.#position = position;
    if (!isWhole && records.length === 0) return;
    if (isWhole) {
      this.#records.clear();
      this.#secrets.clear();
      this.#budgets.clear();
    }
    for (const record of records) {
      if (isBudget(record)) {
        this.#budgets.set(record.id, record);
        continue;
      }
      const before = this.#records.get(record.id);
      if (before) for (const { hash } of secretsOf(before)) this.#secrets.delete(hash);
      this.#records.set(record.id, record);
      for (const { hash, endsMs } of secretsOf(record)) this.#secrets.set(hash, { record, endsMs });
    }
    this.#version += 1;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

/** The current secret last: of two with the same hash it is the one that counts. */
function secretsOf(record: KeyRecord): { readonly hash: string; readonly endsMs: number }[] {
  const { hash, replaces = [], expiresMs = Number.POSITIVE_INFINITY, revokedMs } = record;
  const all = [...replaces, { hash, untilMs: Number.POSITIVE_INFINITY }];
  return all.map((secret) => ({
    hash: secret.hash,
    endsMs: revokedMs === undefined ? Math.min(expiresMs, secret.untilMs) : 0,
  }));
}
