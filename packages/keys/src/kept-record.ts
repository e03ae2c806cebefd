import { type BudgetRecord, readBudget } from './budget-record.ts';
import { type KeyRecord, readRecord } from './key-record.ts';

/** What a keeper keeps: a key that was issued, or a budget that was changed. */
export type KeptRecord = KeyRecord | BudgetRecord;

export function isBudget(record: KeptRecord): record is BudgetRecord {
  return 'kind' in record;
}

/** The record as a keeper writes it. */
export function recordText(record: KeptRecord): string {
  return JSON.stringify(record);
}

/** Reads what `recordText` wrote; undefined if it is anything else, such as a later version's. */
export function readKept(text: string): KeptRecord | undefined {
  return readBudget(text) ?? readRecord(text);
}
