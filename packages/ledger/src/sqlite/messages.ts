import type { LedgerEntry } from '@nexus/domain';
import type { UsageQuery } from '../usage-query.ts';

/** What the thread is asked to do; `null` comes back where nothing is to be told. */
export type SqliteTask =
  | { readonly what: 'write'; readonly entries: readonly LedgerEntry[] }
  | { readonly what: 'prune'; readonly beforeMs: number; readonly most: number }
  | { readonly what: 'usage'; readonly query: UsageQuery }
  | { readonly what: 'modelDays'; readonly since: string; readonly until: string }
  | { readonly what: 'close' };

export interface SqliteRequest {
  readonly number: number;
  readonly task: SqliteTask;
}

/** `failure` says why it wasn't done, `code` is the error's own. */
export type SqliteReply =
  | { readonly number: number; readonly result: unknown }
  | { readonly number: number; readonly failure: string; readonly code: string | undefined };
