import type { LedgerEntry } from '@nexus/domain';
import type { UsageSource } from './ledger-store.ts';

/** How well records are kept, for /health, metrics and the log. */
export interface LedgerState {
  readonly status: 'ok' | 'degraded';
  /** Records that wait to be kept. */
  readonly waiting: number;
  /** Records that were given up since the start. */
  readonly lost: number;
}

/** A change of the state, once each. */
export interface LedgerChange extends LedgerState {
  /** Why records can't be kept. */
  readonly cause?: unknown;
}

/** Where the gateway records its requests, and where reports are read. */
export interface Ledger extends UsageSource {
  /**
   * Takes the record of a request that has ended; never throws, waits for nothing. Where instances share a ledger it gives back the record as
   * text, which the limiter writes in the same step as the end; else undefined.
   */
  record(entry: LedgerEntry): string | undefined;
  state(): LedgerState;
  /**
   * So many records wait that what comes soon may be lost: nine tenths of what can. The rest is for requests under way, and for those
   * that go on all the same.
   */
  readonly isFull: boolean;
}

/** Whether no more should be begun that must be recorded, as `Ledger.isFull` says. */
export function isNearlyFull(waiting: number, most: number): boolean {
  return waiting * 10 >= most * 9;
}
