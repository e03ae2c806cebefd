import type { LedgerEntry } from '@nexus/domain';
import type { ModelDay, UsageQuery, UsageRow } from './usage-query.ts';

/** Where reports are read. */
export interface UsageSource {
  /** The rows of a report, in no order. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]>;
  /** What was used of each model on each day of UTC; undefined where the store doesn't know it. */
  modelDays(since: string, until: string): Promise<readonly ModelDay[] | undefined>;
  close(): Promise<void>;
}

/** Where records are kept. */
export interface LedgerStore extends UsageSource {
  /**
   * Keeps records, all or none, each id once: those that are there already are left as they are. Resolves with how many were new.
   */
  write(entries: readonly LedgerEntry[]): Promise<number>;
  /** Forgets records that ended before, and days before that one; at most `most` records. Resolves with how many there were. */
  prune(beforeMs: number, most: number): Promise<number>;
}
