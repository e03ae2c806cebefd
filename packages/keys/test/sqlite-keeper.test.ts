import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { tempDir } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createKey } from '../src/index.ts';
import { SqliteKeyKeeper } from '../src/sqlite/sqlite-keeper.ts';
import { DOER, HASH, hash, keeperContract } from './keeper-contract.ts';

async function newPath(): Promise<string> {
  return join(await tempDir(), 'nexus.db');
}

function open(path: string, options?: { mostKeys: number }): SqliteKeyKeeper {
  const keeper = new SqliteKeyKeeper(path, options);
  onTestFinished(() => keeper.close());
  return keeper;
}

describe('keys in a file', () => {
  keeperContract(async (options) => {
    const path = await newPath();
    return { one: open(path, options), two: open(path, options) };
  });

  it('make no file before there is a key', async () => {
    const path = await newPath();
    const keeper = open(path);
    await keeper.changes(undefined);
    await keeper.find('a');
    await keeper.audits(5);
    expect(existsSync(path)).toBe(false);
    await createKey(keeper, { id: 'a', hash: HASH }, DOER);
    expect(existsSync(path)).toBe(true);
  });

  it('stand beside the tables of the ledger and leave their version alone', async () => {
    const path = await newPath();
    const ledger = new DatabaseSync(path);
    onTestFinished(() => ledger.close());
    ledger.exec('PRAGMA journal_mode = WAL; PRAGMA user_version = 1; CREATE TABLE nexus_requests (id TEXT)');
    const keeper = open(path);
    expect((await keeper.changes(undefined)).records).toEqual([]);
    await createKey(keeper, { id: 'a', hash: HASH }, DOER);
    expect(ledger.prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
  });

  it('wait until another process has written, without standing still', async () => {
    const path = await newPath();
    const keeper = open(path);
    await createKey(keeper, { id: 'a', hash: HASH }, DOER);
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE; UPDATE nexus_key_state SET tables = tables');
    const order: string[] = [];
    const creation = createKey(keeper, { id: 'b', hash: hash(1) }, DOER).then(() => order.push('created'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    order.push('released');
    expect((await keeper.changes(undefined)).records).toHaveLength(1);
    other.exec('COMMIT');
    await creation;
    expect(order).toEqual(['released', 'created']);
  });

  it('are read from the file that is there now, not from one that is gone', async () => {
    const path = await newPath();
    const [one, two] = [open(path), open(path)];
    await createKey(one, { id: 'a', hash: HASH }, DOER);
    const { position } = await two.changes(undefined);
    one.close();
    for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
    expect(await two.changes(position)).toEqual({ position: undefined, isWhole: true, records: [] });
    await createKey(one, { id: 'b', hash: HASH }, DOER);
    expect(await two.changes(position)).toMatchObject({ isWhole: true, records: [{ id: 'b' }] });
  });

  it('say so where the file is no database or of a later version', async () => {
    const path = await newPath();
    writeFileSync(path, 'this is no database, but a text that is long enough to be taken for one'.repeat(20));
    await expect(open(path).changes(undefined)).rejects.toThrow(/not a database/);
    const later = await newPath();
    const keeper = open(later);
    await createKey(keeper, { id: 'a', hash: HASH }, DOER);
    const db = new DatabaseSync(later);
    db.exec('UPDATE nexus_key_state SET tables = 99');
    db.close();
    await expect(keeper.changes(undefined)).rejects.toThrow(/later version/);
    await expect(createKey(keeper, { id: 'b', hash: HASH }, DOER)).rejects.toThrow(/later version/);
    expect(readFileSync(later).length).toBeGreaterThan(0);
  });

  it('are read once a file that is being made is free', async () => {
    const path = await newPath();
    const keeper = open(path);
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE nexus_requests (id TEXT)');
    const order: string[] = [];
    const questions = [keeper.changes(undefined), keeper.find('a'), keeper.audits(5)];
    const answers = Promise.all(questions).then(() => order.push('answered'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    order.push('released');
    other.exec('COMMIT; PRAGMA locking_mode = NORMAL; SELECT * FROM nexus_requests');
    await answers;
    expect(order).toEqual(['released', 'answered']);
  });
});
