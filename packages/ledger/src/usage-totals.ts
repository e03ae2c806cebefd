import type { LedgerEntry } from '@nexus/domain';
import { plain } from './entry-columns.ts';

/** What requests used together. Counts are whole numbers. */
export interface UsageTotals {
  /** Requests that were charged. */
  requests: number;
  /** Requests that got everything back: they never reached the upstream, or it failed. */
  givenBack: number;
  /** Charged requests with tokens whose model's price isn't known. */
  unpriced: number;
  inputTokens: number;
  /** The part of `inputTokens` that was read from the upstream's cache. */
  cachedInputTokens: number;
  /** The part of `inputTokens` that was written to it. */
  cacheWriteTokens: number;
  outputTokens: number;
  /** The part of `outputTokens` that was reasoning. */
  reasoningTokens: number;
  /** Nano-dollars: a bigint, since $9 million are 2^53 of them. */
  costNanoUsd: bigint;
}

/** A total by its column, in the order of the tables. */
export interface TotalColumn {
  readonly name: string;
  readonly field: Exclude<keyof UsageTotals, 'costNanoUsd'>;
}

/** The columns of a day's table that are numbers; `cost_nano_usd` stands behind them. */
const TOTAL_COLUMNS: readonly TotalColumn[] = [
  { name: 'requests', field: 'requests' },
  { name: 'given_back', field: 'givenBack' },
  { name: 'unpriced', field: 'unpriced' },
  { name: 'input_tokens', field: 'inputTokens' },
  { name: 'cached_input_tokens', field: 'cachedInputTokens' },
  { name: 'cache_write_tokens', field: 'cacheWriteTokens' },
  { name: 'output_tokens', field: 'outputTokens' },
  { name: 'reasoning_tokens', field: 'reasoningTokens' },
];

/** The columns of all totals, cost last. */
export const TOTAL_NAMES: readonly string[] = [...TOTAL_COLUMNS.map(({ name }) => name), 'cost_nano_usd'];

export function noUsage(): UsageTotals {
  return {
    requests: 0,
    givenBack: 0,
    unpriced: 0,
    inputTokens: 0,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    costNanoUsd: 0n,
  };
}

/** What one request adds. */
export function totalsOf({ isCharged, usage, costNanoUsd }: LedgerEntry): UsageTotals {
  const hasTokens = usage.inputTokens + usage.outputTokens > 0;
  return {
    requests: isCharged ? 1 : 0,
    givenBack: isCharged ? 0 : 1,
    unpriced: isCharged && hasTokens && costNanoUsd === undefined ? 1 : 0,
    inputTokens: usage.inputTokens,
    cachedInputTokens: usage.cachedInputTokens,
    cacheWriteTokens: usage.inputParts?.cacheWriteTokens ?? 0,
    outputTokens: usage.outputTokens,
    reasoningTokens: usage.reasoningTokens,
    costNanoUsd: BigInt(costNanoUsd ?? 0),
  };
}

/** Adds the second to the first. */
export function addTotals(sum: UsageTotals, more: UsageTotals): void {
  for (const { field } of TOTAL_COLUMNS) sum[field] += more[field];
  sum.costNanoUsd += more.costNanoUsd;
}

/** The numbers in the order of `TOTAL_NAMES`. */
export function totalValues(totals: UsageTotals): (number | bigint)[] {
  return [...TOTAL_COLUMNS.map(({ field }) => totals[field]), totals.costNanoUsd];
}

/** Reads the numbers in the order of `TOTAL_NAMES`, in whatever form a store gives them. */
export function readTotals(values: readonly unknown[]): UsageTotals {
  const totals = noUsage();
  for (const [index, { field }] of TOTAL_COLUMNS.entries()) totals[field] = Number(values[index] ?? 0);
  const cost = values[TOTAL_COLUMNS.length];
  totals.costNanoUsd = typeof cost === 'bigint' ? cost : BigInt(String(cost ?? 0));
  return totals;
}

/** What a day's rows are kept by, besides the day. */
export const DAY_KEYS = ['tenant', 'team', 'key_id', 'customer', 'feature', 'model', 'upstream'] as const;

/** The texts of `DAY_KEYS` of an entry. */
export function dayKeyOf(entry: LedgerEntry): readonly string[] {
  const { tenant, team, keyId, customer, feature, model, upstream } = entry;
  return [tenant, team, keyId, customer, feature, model, upstream].map(plain);
}

/** One row of a day: its texts (the day, then `DAY_KEYS`) and what was used. */
export interface DayRow {
  readonly texts: readonly string[];
  readonly totals: UsageTotals;
}

/** The rows of their days that entries make together, in one order everywhere: whoever locks them can't lock crosswise. */
export function dayRows(entries: Iterable<LedgerEntry>, dayOf: (ms: number) => string): DayRow[] {
  const rows = new Map<string, DayRow>();
  for (const entry of entries) {
    const texts = [dayOf(entry.endedMs), ...dayKeyOf(entry)];
    const name = JSON.stringify(texts);
    const row = rows.get(name);
    if (row) addTotals(row.totals, totalsOf(entry));
    else rows.set(name, { texts, totals: totalsOf(entry) });
  }
  return [...rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
}
