import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { LedgerEntry } from '@nexus/domain';
import { Days } from '../days.ts';
import { ENTRY_COLUMNS } from '../entry-columns.ts';
import {
  DAY_COLUMNS,
  GROW_DAY,
  modelDaysSql,
  SCHEMA_VERSION,
  tableStatements,
  utcBounds,
  utcDay,
} from '../sql-tables.ts';
import { type ModelDay, type UsageQuery, type UsageRow, usageSql } from '../usage-query.ts';
import { dayRows, readTotals, TOTAL_NAMES, totalValues } from '../usage-totals.ts';

export interface SqliteTablesOptions {
  readonly path: string;
  /** Whose days they are. */
  readonly timeZone: string;
  /** Made if it is missing, unless it is only read. */
  readonly isReadOnly?: boolean;
}

/** How long a statement waits for another process that writes. */
const BUSY_MS = 5_000;

/**
 * The ledger's tables in a file. Every call blocks its thread for as long as the disk takes. A write-ahead log lets others read meanwhile; what
 * was written outlives the process, and all but the last moments the machine.
 */
export class SqliteTables {
  readonly #db: DatabaseSync;
  readonly #days: Days;
  readonly #insert: StatementSync;
  readonly #grow: StatementSync;
  readonly #prune: StatementSync;
  readonly #pruneDays: StatementSync;

  /** @throws Error if the file can't be opened, is no database, or was made by a later version of Nexus */
  constructor({ path, timeZone, isReadOnly = false }: SqliteTablesOptions) {
    this.#days = new Days(timeZone);
    this.#db = new DatabaseSync(path, { readOnly: isReadOnly, timeout: BUSY_MS });
    try {
      this.#prepareTables(isReadOnly);
      const marks = ENTRY_COLUMNS.map(() => '?').join(', ');
      this.#insert = this.#db.prepare(
        `INSERT INTO nexus_requests (${ENTRY_COLUMNS.map(({ name }) => name).join(', ')}) VALUES (${marks}) ON CONFLICT (id) DO NOTHING`,
      );
      this.#grow = this.#db.prepare(
        `INSERT INTO nexus_usage_days (${DAY_COLUMNS.join(', ')}) VALUES (${DAY_COLUMNS.map(() => '?').join(', ')}) ${GROW_DAY}`,
      );
      this.#prune = this.#db.prepare(
        'DELETE FROM nexus_requests WHERE rowid IN (SELECT rowid FROM nexus_requests WHERE ended_ms < ? LIMIT ?)',
      );
      this.#pruneDays = this.#db.prepare('DELETE FROM nexus_usage_days WHERE day < ?');
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** See `LedgerStore.write`. */
  write(entries: readonly LedgerEntry[]): number {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const added = entries.filter(
        (entry) => this.#insert.run(...ENTRY_COLUMNS.map(({ of }) => of(entry))).changes === 1,
      );
      for (const { texts, totals } of dayRows(added, (ms) => this.#days.of(ms)))
        this.#grow.run(...texts, ...totalValues(totals));
      this.#db.exec('COMMIT');
      return added.length;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** See `LedgerStore.prune`. */
  prune(beforeMs: number, most: number): number {
    const { changes } = this.#prune.run(beforeMs, most);
    this.#pruneDays.run(this.#days.of(beforeMs));
    return Number(changes);
  }

  usage(query: UsageQuery): UsageRow[] {
    const rows = this.#all(
      usageSql(query, () => '?'),
      query.since,
      query.until,
    );
    return rows
      .filter((row) => row.requests !== null)
      .map((row) => ({
        names: query.by.map((_, index) => String(row[`n${index}`])),
        totals: readTotals(TOTAL_NAMES.map((name) => row[name])),
      }));
  }

  modelDays(since: string, until: string): ModelDay[] {
    return this.#all(
      modelDaysSql(() => '?'),
      ...utcBounds(since, until),
    ).map((row) => ({
      day: utcDay(Number(row.utc_day)),
      model: String(row.model),
      requests: Number(row.requests),
      inputTokens: Number(row.input_tokens),
      cachedInputTokens: Number(row.cached_input_tokens),
      outputTokens: Number(row.output_tokens),
    }));
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #all(sql: string, ...parameters: SQLInputValue[]) {
    const statement = this.#db.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all(...parameters);
  }

  #prepareTables(isReadOnly: boolean): void {
    const version = Number(this.#db.prepare('PRAGMA user_version').get()?.user_version ?? 0);
    if (version > SCHEMA_VERSION)
      throw new Error(
        `The ledger was made by a later version of Nexus (its tables are of version ${version})`,
      );
    if (isReadOnly && version === 0) throw new Error('The file is no ledger');
    if (isReadOnly) return;
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
    if (version === SCHEMA_VERSION) return;
    this.#db.exec('BEGIN IMMEDIATE');
    for (const statement of tableStatements('INTEGER')) this.#db.exec(statement);
    this.#db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  }
}
