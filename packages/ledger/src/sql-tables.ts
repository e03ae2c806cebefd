import { ENTRY_COLUMNS } from './entry-columns.ts';
import { DAY_KEYS, TOTAL_NAMES } from './usage-totals.ts';

/** The version of the tables below. One that is made by a later version of Nexus is not touched. */
export const SCHEMA_VERSION = 1;

/**
 * The tables: every record once, and what the records of a day come to, by everything that a report can be broken down by. Written together,
 * in one transaction, so that a report of a month needs not read a million records. Both SQLite and PostgreSQL understand them.
 */
export function tableStatements(wholeNumber: 'INTEGER' | 'BIGINT'): string[] {
  const columns = ENTRY_COLUMNS.map(({ name, kind }) => {
    const isOptional = name === 'cost_nano_usd';
    return `${name} ${kind === 'text' ? 'TEXT' : wholeNumber}${isOptional ? '' : ' NOT NULL'}${name === 'id' ? ' PRIMARY KEY' : ''}`;
  });
  const keys = ['day', ...DAY_KEYS];
  return [
    `CREATE TABLE IF NOT EXISTS nexus_requests (${columns.join(', ')})`,
    'CREATE INDEX IF NOT EXISTS nexus_requests_ended ON nexus_requests (ended_ms)',
    `CREATE TABLE IF NOT EXISTS nexus_usage_days (${keys.map((key) => `${key} TEXT NOT NULL`).join(', ')}, ${TOTAL_NAMES.map(
      (name) => `${name} ${wholeNumber} NOT NULL`,
    ).join(', ')}, PRIMARY KEY (${keys.join(', ')}))`,
  ];
}

/** What follows an INSERT into the days: a row that is there grows. */
export const GROW_DAY = `ON CONFLICT (day, ${DAY_KEYS.join(', ')}) DO UPDATE SET ${TOTAL_NAMES.map(
  (name) => `${name} = nexus_usage_days.${name} + excluded.${name}`,
).join(', ')}`;

/** The columns of a day's row. */
export const DAY_COLUMNS: readonly string[] = ['day', ...DAY_KEYS, ...TOTAL_NAMES];

/** Adds up charged requests by UTC's day and the model; its parameters are the first instant and the one after the last (ms). */
export function modelDaysSql(parameter: (number: number) => string): string {
  return `SELECT ended_ms / 86400000 AS utc_day, model, count(*) AS requests, sum(input_tokens) AS input_tokens,
sum(cached_input_tokens) AS cached_input_tokens, sum(output_tokens) AS output_tokens
FROM nexus_requests WHERE ended_ms >= ${parameter(1)} AND ended_ms < ${parameter(2)} AND charged = 1 GROUP BY 1, 2`;
}

/** The bounds of days of UTC: the first instant, and the one after the last (ms). */
export function utcBounds(since: string, until: string): readonly [number, number] {
  return [Date.parse(`${since}T00:00:00Z`), Date.parse(`${until}T00:00:00Z`) + 86_400_000];
}

/** The day of UTC with that number, counted from 1970. */
export function utcDay(number: number): string {
  return new Date(number * 86_400_000).toISOString().slice(0, 10);
}
