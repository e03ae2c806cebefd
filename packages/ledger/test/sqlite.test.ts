import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { tempDir } from '@nexus/testkit';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Dimension } from '../src/index.ts';
import { SqliteLedger } from '../src/sqlite/sqlite-ledger.ts';
import { SqliteTables } from '../src/sqlite/sqlite-tables.ts';
import { entry } from './entries.ts';
import { storeContract } from './store-contract.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

async function ledgerIn(path?: string, timeZone = 'UTC'): Promise<SqliteLedger> {
  const ledger = new SqliteLedger({ path: path ?? join(await tempDir(), 'ledger.db'), timeZone });
  onTestFinished(() => ledger.close());
  return ledger;
}

storeContract('a ledger in a file', async (timeZone) => ledgerIn(undefined, timeZone));

const month = { since: '2026-11-01', until: '2026-11-30', by: ['team'] satisfies Dimension[] };

describe('a file', () => {
  it('keeps its records when it is closed and opened again', async () => {
    const path = join(await tempDir(), 'ledger.db');
    const before = await ledgerIn(path);
    const first = entry();
    await before.write([first]);
    await before.close();
    const after = await ledgerIn(path);
    expect(await after.write([first, entry()])).toBe(1);
    expect((await after.usage(month))[0]?.totals.requests).toBe(2);
  });

  it('is read while another writes it', async () => {
    const path = join(await tempDir(), 'ledger.db');
    await (await ledgerIn(path)).write([entry()]);
    const reader = new SqliteTables({ path, timeZone: 'UTC', isReadOnly: true });
    onTestFinished(() => reader.close());
    expect(reader.usage(month)[0]?.totals.requests).toBe(1);
    expect(() => reader.write([entry()])).toThrow(/readonly/);
  });

  it('of a later version of Nexus is left alone', async () => {
    const path = join(await tempDir(), 'ledger.db');
    const later = new DatabaseSync(path);
    later.exec('PRAGMA user_version = 99');
    later.close();
    const ledger = await ledgerIn(path);
    await expect(ledger.write([entry()])).rejects.toThrow(/later version/);
  });

  it('that is no database is said to be none, and not touched', async () => {
    const path = join(await tempDir(), 'ledger.db');
    writeFileSync(path, 'Dear diary, today I was not a database at all, again.'.repeat(20));
    const ledger = await ledgerIn(path);
    await expect(ledger.write([entry()])).rejects.toThrow(/not a database/);
  });

  it('that cannot be written is tried again at the next call', async () => {
    const folder = await tempDir();
    const ledger = await ledgerIn(join(folder, 'missing', 'ledger.db'));
    await expect(ledger.write([entry()])).rejects.toThrow(/unable to open/);
    const { mkdirSync } = await import('node:fs');
    mkdirSync(join(folder, 'missing'));
    expect(await ledger.write([entry()])).toBe(1);
  });
});
