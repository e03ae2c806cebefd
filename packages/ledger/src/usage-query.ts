import { DAY_KEYS, TOTAL_NAMES, type UsageTotals } from './usage-totals.ts';

/** What a report can be broken down by, and the column that says it. `month` is made of the day. */
const COLUMN_OF = new Map([
  ['day', 'day'],
  ['month', 'substr(day, 1, 7)'],
  ['team', 'team'],
  ['key', 'key_id'],
  ['customer', 'customer'],
  ['feature', 'feature'],
  ['model', 'model'],
  ['upstream', 'upstream'],
  ['tenant', 'tenant'],
] as const);

export type Dimension = typeof COLUMN_OF extends Map<infer Name, unknown> ? Name : never;

export const DIMENSIONS: readonly Dimension[] = [...COLUMN_OF.keys()];

export function isDimension(name: string): name is Dimension {
  return DIMENSIONS.some((dimension) => dimension === name);
}

/** Which days to add up, both among them, and by what. */
export interface UsageQuery {
  /** `2026-11-01` */
  readonly since: string;
  readonly until: string;
  /** Empty: one row of everything. */
  readonly by: readonly Dimension[];
}

/** One row of a report. */
export interface UsageRow {
  /** One for each of the query's `by`; '' where a request had none. */
  readonly names: readonly string[];
  readonly totals: UsageTotals;
}

/** Requests of one provider's day, for a comparison with its own figures. */
export interface ModelDay {
  /** Of UTC, as providers count. */
  readonly day: string;
  readonly model: string;
  readonly requests: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}

/** The statement that answers a query: its two parameters are the first day and the last. */
export function usageSql({ by }: UsageQuery, parameter: (number: number) => string): string {
  const columns = by.map((dimension) => COLUMN_OF.get(dimension) ?? "''");
  const names = columns.map((column, index) => `${column} AS n${index}`);
  const sums = TOTAL_NAMES.map((name) => `sum(${name}) AS ${name}`);
  const places = columns.map((_, index) => index + 1).join(', ');
  return `SELECT ${[...names, ...sums].join(', ')} FROM nexus_usage_days
WHERE day BETWEEN ${parameter(1)} AND ${parameter(2)}${columns.length > 0 ? ` GROUP BY ${places}` : ''}`;
}

/** The names by which a query groups a row of a day: `texts` are the day, then `DAY_KEYS`. */
export function namesOf(by: readonly Dimension[], texts: readonly string[]): string[] {
  const all = ['day', ...DAY_KEYS];
  return by.map((dimension) => {
    if (dimension === 'month') return (texts[0] ?? '').slice(0, 7);
    return texts[all.indexOf(COLUMN_OF.get(dimension) ?? '')] ?? '';
  });
}
