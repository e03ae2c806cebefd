import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEntry } from '@nexus/domain';
import { tempDir, until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type LedgerChange, type LedgerStore, OwnLedger, SqliteLedger } from '../src/index.ts';
import { entry } from './entries.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };
const DAY = { since: '2026-11-03', until: '2026-11-03', by: [] };

async function ownLedger(store: LedgerStore, more: { maxWaiting?: number } = {}) {
  const changes: LedgerChange[] = [];
  const ledger = new OwnLedger({
    store,
    keepMs: 400 * 86_400_000,
    retryMs: 20,
    onChange: (change) => void changes.push(change),
    ...more,
  });
  onTestFinished(() => ledger.close());
  return { ledger, changes };
}

const fileIn = (folder: string) => new SqliteLedger({ path: join(folder, 'ledger.db'), timeZone: 'UTC' });

describe('the ledger of one process', () => {
  it('writes what it was given, and shows it in reports at once', async () => {
    const { ledger } = await ownLedger(fileIn(await tempDir()));
    expect(ledger.record(entry())).toBeUndefined();
    ledger.record(entry());
    expect((await ledger.usage(DAY))[0]?.totals.requests).toBe(2);
    expect(ledger.state()).toEqual({ status: 'ok', waiting: 0, lost: 0 });
  });

  it('writes by itself soon after', async () => {
    const { ledger } = await ownLedger(fileIn(await tempDir()));
    ledger.record(entry());
    await until(() => ledger.state().waiting === 0, PATIENT);
  });

  it('writes everything before it closes', async () => {
    const folder = await tempDir();
    const { ledger } = await ownLedger(fileIn(folder));
    for (let count = 0; count < 2_500; count += 1) ledger.record(entry());
    await ledger.close();
    const again = fileIn(folder);
    onTestFinished(() => again.close());
    expect((await again.usage(DAY))[0]?.totals.requests).toBe(2_500);
  });

  it('keeps records while the file can’t be written, counts those beyond its bound as lost, and says each change once', async () => {
    const folder = join(await tempDir(), 'not-yet');
    const { ledger, changes } = await ownLedger(fileIn(folder), { maxWaiting: 3 });
    for (let count = 0; count < 5; count += 1) ledger.record(entry());
    await until(() => ledger.state().status === 'degraded', PATIENT);
    // Several tries fail meanwhile.
    await expect(ledger.usage(DAY)).rejects.toThrow();
    expect(ledger.state()).toEqual({ status: 'degraded', waiting: 3, lost: 2 });
    expect(ledger.isFull).toBe(true);
    mkdirSync(folder);
    await until(() => ledger.state().status === 'ok', PATIENT);
    expect((await ledger.usage(DAY))[0]?.totals.requests).toBe(3);
    expect(ledger.isFull).toBe(false);
    expect(changes.map(({ status, lost }) => [status, lost])).toEqual([
      ['degraded', 2],
      ['ok', 2],
    ]);
    expect(String(changes[0]?.cause)).toContain('unable to open');
  });

  it('is full when nine tenths of its room are used', async () => {
    const { ledger } = await ownLedger(fileIn(join(await tempDir(), 'missing')), { maxWaiting: 20 });
    for (let count = 0; count < 17; count += 1) ledger.record(entry());
    expect(ledger.isFull).toBe(false);
    ledger.record(entry());
    expect(ledger.isFull).toBe(true);
  });

  it('closes although the file can’t be written', async () => {
    const { ledger } = await ownLedger(fileIn(join(await tempDir(), 'missing')));
    ledger.record(entry());
    await ledger.close();
    expect(ledger.state()).toMatchObject({ waiting: 0, lost: 1 });
  });

  it('forgets what is older than it may become', async () => {
    const store = fileIn(await tempDir());
    const old = entry({ startedMs: 1_000, endedMs: 2_000 });
    await store.write([old, entry({ startedMs: Date.now(), endedMs: Date.now() })]);
    const { ledger } = await ownLedger(store);
    const all = { since: '1970-01-01', until: '2999-01-01', by: [] };
    await until(async () => (await ledger.usage(all))[0]?.totals.requests === 1, PATIENT);
  });

  it('writes each record once although a transaction seemed to fail', async () => {
    const inner = fileIn(await tempDir());
    let failures = 2;
    const store: LedgerStore = {
      write: async (entries: readonly LedgerEntry[]) => {
        const count = await inner.write(entries);
        if (failures-- > 0) throw new Error('The answer was lost');
        return count;
      },
      prune: (beforeMs, most) => inner.prune(beforeMs, most),
      usage: (query) => inner.usage(query),
      modelDays: (since, to) => inner.modelDays(since, to),
      close: () => inner.close(),
    };
    const { ledger } = await ownLedger(store);
    ledger.record(entry());
    await until(() => ledger.state().waiting === 0, PATIENT);
    expect((await ledger.usage(DAY))[0]?.totals.requests).toBe(1);
  });
});
