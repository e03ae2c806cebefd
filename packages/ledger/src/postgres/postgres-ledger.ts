import type { LedgerEntry } from '@nexus/domain';
import type { Pool, PoolClient } from 'pg';
import { Days } from '../days.ts';
import { ENTRY_COLUMNS } from '../entry-columns.ts';
import type { LedgerStore } from '../ledger-store.ts';
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
import { DAY_KEYS, dayRows, readTotals, TOTAL_NAMES, totalValues } from '../usage-totals.ts';

export interface PostgresLedgerOptions {
  /** `postgres://user:password@host:5432/database?sslmode=verify-full` */
  readonly url: string;
  /** Whose days they are. */
  readonly timeZone: string;
}

const CONNECT_MS = 5_000;
/** A report of years takes seconds; what takes longer hangs. */
const STATEMENT_MS = 30_000;
const IDLE_MS = 60_000;
/** One writes, one reads a report meanwhile. */
const CONNECTIONS = 2;
/** Any number that no other program takes: whoever makes the tables holds it. */
const TABLES_LOCK = 7_263_957_201;

const place = (number: number): string => `$${number}`;

/** One array for each column: a statement of fixed text, however many rows it brings. */
const INSERT = `INSERT INTO nexus_requests (${ENTRY_COLUMNS.map(({ name }) => name).join(', ')})
SELECT * FROM unnest(${ENTRY_COLUMNS.map(({ kind }, index) => `$${index + 1}::${kind === 'text' ? 'text' : 'bigint'}[]`).join(', ')})
ON CONFLICT (id) DO NOTHING RETURNING id`;

const GROW = `INSERT INTO nexus_usage_days (${DAY_COLUMNS.join(', ')})
SELECT * FROM unnest(${DAY_COLUMNS.map((_, index) => `$${index + 1}::${index <= DAY_KEYS.length ? 'text' : 'bigint'}[]`).join(', ')})
${GROW_DAY}`;

/** The ledger's tables in PostgreSQL (12 or later), for one process or many. It connects with the first call, and makes its tables then. */
export class PostgresLedger implements LedgerStore {
  readonly #options: PostgresLedgerOptions;
  readonly #days: Days;
  #pool: Promise<Pool> | undefined;

  constructor(options: PostgresLedgerOptions) {
    this.#options = options;
    this.#days = new Days(options.timeZone);
  }

  async write(entries: readonly LedgerEntry[]): Promise<number> {
    if (entries.length === 0) return 0;
    return this.#transaction(async (client) => {
      // In one order everywhere: whoever inserts a record waits for another who is about to, and two must not wait crosswise.
      const inOrder = entries.toSorted((one, other) => (one.id < other.id ? -1 : 1));
      const columns = ENTRY_COLUMNS.map(({ of }) => inOrder.map(of));
      const { rows } = await client.query(INSERT, columns);
      const added = new Set(rows.map(({ id }) => String(id)));
      const news = new Map(entries.filter(({ id }) => added.has(id)).map((entry) => [entry.id, entry]));
      const days = dayRows(news.values(), (ms) => this.#days.of(ms)).map(({ texts, totals }) => [
        ...texts,
        ...totalValues(totals).map(String),
      ]);
      if (days.length > 0)
        await client.query(
          GROW,
          DAY_COLUMNS.map((_, index) => days.map((row) => row[index])),
        );
      return news.size;
    });
  }

  async prune(beforeMs: number, most: number): Promise<number> {
    const pool = await this.#ready();
    const { rowCount } = await pool.query(
      'DELETE FROM nexus_requests WHERE id IN (SELECT id FROM nexus_requests WHERE ended_ms < $1 LIMIT $2)',
      [beforeMs, most],
    );
    await pool.query('DELETE FROM nexus_usage_days WHERE day < $1', [this.#days.of(beforeMs)]);
    return rowCount ?? 0;
  }

  async usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    const pool = await this.#ready();
    const { rows } = await pool.query(usageSql(query, place), [query.since, query.until]);
    return rows
      .filter((row) => row.requests !== null)
      .map((row) => ({
        names: query.by.map((_, index) => String(row[`n${index}`])),
        totals: readTotals(TOTAL_NAMES.map((name) => row[name])),
      }));
  }

  async modelDays(since: string, until: string): Promise<readonly ModelDay[]> {
    const pool = await this.#ready();
    const { rows } = await pool.query(modelDaysSql(place), [...utcBounds(since, until)]);
    return rows.map((row) => ({
      day: utcDay(Number(row.utc_day)),
      model: String(row.model),
      requests: Number(row.requests),
      inputTokens: Number(row.input_tokens),
      cachedInputTokens: Number(row.cached_input_tokens),
      outputTokens: Number(row.output_tokens),
    }));
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await (await pool?.catch(() => undefined))?.end();
  }

  async #transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await (await this.#ready()).connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      // After a failure nobody knows how its transaction stands: the connection is given up, and the transaction with it.
      client.release(failure);
    }
  }

  #ready(): Promise<Pool> {
    this.#pool ??= this.#open().catch((error: unknown) => {
      this.#pool = undefined;
      throw error;
    });
    return this.#pool;
  }

  async #open(): Promise<Pool> {
    // Loaded only where it is used.
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({
      connectionString: this.#options.url,
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: IDLE_MS,
      statement_timeout: STATEMENT_MS,
      query_timeout: STATEMENT_MS + CONNECT_MS,
      application_name: 'nexus',
      allowExitOnIdle: true,
    });
    // An idle connection that breaks is replaced at the next call.
    pool.on('error', () => {});
    // So is one that breaks between two queries of a transaction: the next query rejects. Unheard, the error would end the process.
    pool.on('connect', (client) => client.on('error', () => {}));
    try {
      await this.#makeTables(pool);
      return pool;
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  async #makeTables(pool: Pool): Promise<void> {
    const found = await pool.query("SELECT to_regclass('nexus_ledger') IS NOT NULL AS is_there");
    if (found.rows[0]?.is_there !== true) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        await client.query('SELECT pg_advisory_xact_lock($1)', [TABLES_LOCK]);
        for (const statement of tableStatements('BIGINT')) await client.query(statement);
        await client.query('CREATE TABLE IF NOT EXISTS nexus_ledger (version BIGINT PRIMARY KEY)');
        await client.query('INSERT INTO nexus_ledger VALUES ($1) ON CONFLICT DO NOTHING', [SCHEMA_VERSION]);
        await client.query('COMMIT');
      } finally {
        client.release(true);
      }
    }
    const { rows } = await pool.query('SELECT max(version) AS version FROM nexus_ledger');
    const version = Number(rows[0]?.version ?? 0);
    if (version > SCHEMA_VERSION)
      throw new Error(
        `The ledger was made by a later version of Nexus (its tables are of version ${version})`,
      );
  }
}
