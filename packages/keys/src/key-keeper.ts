import type { AuditRecord } from './audit.ts';
import type { BudgetRecord } from './budget-record.ts';
import type { KeptRecord } from './kept-record.ts';
import type { KeyRecord } from './key-record.ts';

/** Up to where a reader knows the records of a keeper. */
export interface Position {
  /** Named anew whenever the keeper begins from nothing. */
  readonly epoch: string;
  /** Grows with each change. */
  readonly version: number;
}

/** What a keeper tells a reader. */
export interface KeyChanges {
  /** Undefined: the keeper holds nothing, and never did as far as it knows. */
  readonly position: Position | undefined;
  /** Whether these are all records, and not only those that changed since the reader's position. */
  readonly isWhole: boolean;
  /** Each as it is now; a record that can't be read is left out, so its key is refused. */
  readonly records: readonly KeptRecord[];
}

/** What became of a change. `stale`: the record has changed meanwhile, read it again. `full`: there is no room for another record. */
export type PutOutcome = 'done' | 'stale' | 'full';

/** The most records that a keeper holds, those of refused keys and of budgets among them: some 50 MB in each instance. */
export const MOST_KEYS = 100_000;

/** The longest that a record is: names and patterns are bounded, so this only stops what was never meant. */
export const LONGEST_RECORD = 16_384;

/**
 * Where issued keys and changed budgets are kept for all instances and commands. Every method rejects if the store can't be reached.
 *
 * - `put` writes a record and the audit record of that change in one step, if the kept record's revision is the one before its own.
 * - `changes` is cheap where nothing has changed: it is asked twice a second.
 */
export interface KeyKeeper {
  changes(since: Position | undefined): Promise<KeyChanges>;
  find(id: string): Promise<KeyRecord | undefined>;
  findBudget(id: string): Promise<BudgetRecord | undefined>;
  put(record: KeptRecord, audit: AuditRecord): Promise<PutOutcome>;
  /** Writes back, into a keeper that has lost what it knew, the records that it lacks or has in an earlier revision. */
  restore(records: readonly KeptRecord[]): Promise<void>;
  /** Keeps the audit record of a change that was made elsewhere. */
  note(audit: AuditRecord): Promise<void>;
  /** The latest first. */
  audits(most: number): Promise<readonly AuditRecord[]>;
  close(): void;
}
