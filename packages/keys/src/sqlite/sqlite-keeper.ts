import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { AUDIT_KEPT, type AuditRecord, auditText, readAudit } from '../audit.ts';
import { type BudgetRecord, readBudget } from '../budget-record.ts';
import { type KeptRecord, readKept, recordText } from '../kept-record.ts';
import { type KeyChanges, type KeyKeeper, MOST_KEYS, type Position, type PutOutcome } from '../key-keeper.ts';
import { type KeyRecord, readRecord } from '../key-record.ts';

/** Who finds the file locked tries again that often, for so long: the ledger makes its tables and writes its batches in the same file. */
const RETRY_MS = 10;
const RETRY_WITHIN_MS = 5_000;

/** What these tables are made of; a change of it needs a new number, and a step from the one before. */
const TABLES_VERSION = 1;
const TABLES = `
  CREATE TABLE IF NOT EXISTS nexus_key_state (one INTEGER PRIMARY KEY CHECK (one = 1), tables INTEGER NOT NULL, epoch TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS nexus_keys (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, version INTEGER NOT NULL, record TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS nexus_keys_by_version ON nexus_keys (version);
  CREATE TABLE IF NOT EXISTS nexus_audit (number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, record TEXT NOT NULL) STRICT;
`;

/**
 * Keeps issued keys and changed budgets in a file, for one gateway and the commands beside it; the ledger may be in the same. The file is made with the first
 * key, and while there is none there are no keys. Calls block for some microseconds: nothing here waits for a lock.
 */
export class SqliteKeyKeeper implements KeyKeeper {
  readonly #path: string;
  readonly #mostKeys: number;
  #open: { readonly db: DatabaseSync; readonly file: string } | undefined;

  constructor(path: string, { mostKeys = MOST_KEYS } = {}) {
    this.#path = path;
    this.#mostKeys = mostKeys;
  }

  changes(since: Position | undefined): Promise<KeyChanges> {
    return whenFree(() => this.#changes(since));
  }

  #changes(since: Position | undefined): KeyChanges {
    const db = this.#reading();
    const state = db?.prepare('SELECT epoch, version FROM nexus_key_state').get();
    if (db === undefined || state === undefined) return { position: undefined, isWhole: true, records: [] };
    const position = { epoch: String(state.epoch), version: Number(state.version) };
    const isWhole = since?.epoch !== position.epoch || position.version < since.version;
    if (!isWhole && since.version === position.version) return { position, isWhole, records: [] };
    const rows = db
      .prepare('SELECT record FROM nexus_keys WHERE version > ? ORDER BY version')
      .all(isWhole ? 0 : since.version);
    return { position, isWhole, records: rows.flatMap(({ record }) => readKept(String(record)) ?? []) };
  }

  async find(id: string): Promise<KeyRecord | undefined> {
    return readRecord(await this.#text(id));
  }

  async findBudget(id: string): Promise<BudgetRecord | undefined> {
    return readBudget(await this.#text(id));
  }

  /** Empty where there is none. */
  async #text(id: string): Promise<string> {
    const row = await whenFree(() =>
      this.#reading()?.prepare('SELECT record FROM nexus_keys WHERE id = ?').get(id),
    );
    return row === undefined ? '' : String(row.record);
  }

  put(record: KeptRecord, audit: AuditRecord): Promise<PutOutcome> {
    return this.#write((db): PutOutcome => {
      const kept = db.prepare('SELECT revision FROM nexus_keys WHERE id = ?').get(record.id);
      if (Number(kept?.revision ?? 0) + 1 !== record.revision) return 'stale';
      if (kept === undefined) {
        const { count } = db.prepare('SELECT count(*) AS count FROM nexus_keys').get() ?? {};
        if (Number(count) >= this.#mostKeys) return 'full';
      }
      setRecord(db, record);
      addAudit(db, audit);
      return 'done';
    });
  }

  note(audit: AuditRecord): Promise<void> {
    return this.#write((db) => addAudit(db, audit));
  }

  async restore(records: readonly KeptRecord[]): Promise<void> {
    await this.#write((db) => {
      for (const record of records) {
        const kept = db.prepare('SELECT revision FROM nexus_keys WHERE id = ?').get(record.id);
        if (Number(kept?.revision ?? 0) < record.revision) setRecord(db, record);
      }
    });
  }

  async audits(most: number): Promise<readonly AuditRecord[]> {
    const rows = await whenFree(() =>
      this.#reading()?.prepare('SELECT record FROM nexus_audit ORDER BY number DESC LIMIT ?').all(most),
    );
    return (rows ?? []).flatMap(({ record }) => readAudit(String(record)) ?? []);
  }

  close(): void {
    this.#open?.db.close();
    this.#open = undefined;
  }

  /** The file as it is there now, with the tables in it; undefined: there is none, or it holds no keys yet. */
  #reading(): DatabaseSync | undefined {
    const file = fileAt(this.#path);
    if (file === undefined || this.#open?.file !== file) this.close();
    if (file === undefined) return undefined;
    this.#open ??= { db: openFile(this.#path), file };
    const { db } = this.#open;
    const has = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'nexus_audit'").get();
    if (has === undefined) return undefined;
    checkTables(db);
    return db;
  }

  #write<T>(change: (db: DatabaseSync) => T): Promise<T> {
    return whenFree(() => this.#writeOnce(change));
  }

  #writeOnce<T>(change: (db: DatabaseSync) => T): T {
    const file = fileAt(this.#path);
    if (file === undefined || this.#open?.file !== file) this.close();
    const db = this.#open?.db ?? openFile(this.#path);
    this.#open ??= { db, file: fileAt(this.#path) ?? '' };
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
    try {
      db.exec(TABLES);
      db.prepare(
        'INSERT INTO nexus_key_state (one, tables, epoch, version) VALUES (1, ?, ?, 0) ON CONFLICT DO NOTHING',
      ).run(TABLES_VERSION, randomUUID());
      checkTables(db);
      const outcome = change(db);
      db.exec('COMMIT');
      return outcome;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
}

/** Does something with the file once nobody else holds it, without standing still meanwhile. */
async function whenFree<T>(work: () => T): Promise<T> {
  const untilMs = performance.now() + RETRY_WITHIN_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= untilMs) throw error;
      await setTimeout(RETRY_MS);
    }
  }
}

function openFile(path: string): DatabaseSync {
  return new DatabaseSync(path, { timeout: 0 });
}

function setRecord(db: DatabaseSync, record: KeptRecord): void {
  db.prepare('UPDATE nexus_key_state SET version = version + 1').run();
  db.prepare(
    `INSERT INTO nexus_keys (id, revision, version, record) VALUES (?, ?, (SELECT version FROM nexus_key_state), ?)
     ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, version = excluded.version, record = excluded.record`,
  ).run(record.id, record.revision, recordText(record));
}

function addAudit(db: DatabaseSync, audit: AuditRecord): void {
  db.prepare('INSERT INTO nexus_audit (at_ms, record) VALUES (?, ?)').run(audit.atMs, auditText(audit));
  db.prepare(
    'DELETE FROM nexus_audit WHERE at_ms < ? OR number <= (SELECT max(number) FROM nexus_audit) - ?',
  ).run(audit.atMs - AUDIT_KEPT.forMs, AUDIT_KEPT.records);
}

function checkTables(db: DatabaseSync): void {
  const version = Number(db.prepare('SELECT tables FROM nexus_key_state').get()?.tables ?? TABLES_VERSION);
  if (version > TABLES_VERSION)
    throw new Error(`The keys were kept by a later version of Nexus (its tables are of version ${version})`);
}

/** Which file stands at a path: another one in its place has another number. */
function fileAt(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}

/** SQLITE_BUSY (5), SQLITE_LOCKED (6), with their extended codes: https://sqlite.org/rescode.html */
function isBusy(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0;
  return code === 5 || code === 6;
}
