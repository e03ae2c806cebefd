import type { AuditAction, AuditRecord, AuditView } from './audit.ts';
import { type KeptRecord, recordText } from './kept-record.ts';
import { type KeyKeeper, LONGEST_RECORD } from './key-keeper.ts';

/** Who makes a change, and when. */
export interface Doer {
  /** As in an audit record: `api:ops`, `cli:alice@host`. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** Hears of the change once it is made, for the log. */
  readonly onDone?: (audit: AuditRecord) => void;
}

/** One change of one record. */
export interface Change<R extends KeptRecord> {
  readonly action: AuditAction;
  /** The public name of what is changed, for the audit record. */
  readonly subject: string;
  readonly find: () => Promise<R | undefined>;
  /** The record as it is to be; throws where it can't be changed as it is. */
  readonly next: (kept: R | undefined) => R;
  /** A record as an audit record shows it; null: nothing. */
  readonly shown: (record: R | undefined) => AuditView | null;
}

/** Two who change the same record at once take turns; more than a few such turns are a fault. */
const MOST_TURNS = 20;

/**
 * Makes a change, with its audit record.
 * @returns the record, or `full`: there is no room for another
 * @throws whatever `next` throws or the keeper rejects with
 */
export async function makeChange<R extends KeptRecord>(
  keeper: KeyKeeper,
  { action, subject, find, next, shown }: Change<R>,
  { by, nowMs, onDone }: Doer,
): Promise<R | 'full'> {
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const kept = await find();
    const record = next(kept);
    if (recordText(record).length > LONGEST_RECORD) throw new TypeError('The record is too long');
    const audit = { atMs: nowMs, by, action, subject, before: shown(kept), after: shown(record) };
    const outcome = await keeper.put(record, audit);
    if (outcome === 'full') return 'full';
    if (outcome === 'stale') continue;
    onDone?.(audit);
    return record;
  }
  throw new Error('The record was changed by others again and again');
}
