import { until } from '@nexus/testkit';
import { noPostgres, startPostgres, type TestPostgres } from '@nexus/testkit/postgres-server';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { PostgresLedger } from '../src/postgres/postgres-ledger.ts';
import { entry } from './entries.ts';
import { storeContract } from './store-contract.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };

describe.skipIf(noPostgres)('with a real PostgreSQL', () => {
  let postgres: TestPostgres;
  let databases = 0;
  beforeAll(async () => {
    postgres = await startPostgres();
  }, 120_000);
  afterAll(async () => {
    await postgres?.close();
  });

  async function query(sql: string, url = postgres.url) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  /** The address of a database of the test's own. */
  async function database(): Promise<string> {
    databases += 1;
    await query(`CREATE DATABASE test_${databases}`);
    return postgres.url.replace(/postgres$/, `test_${databases}`);
  }

  async function ledgerAt(url: string, timeZone = 'UTC'): Promise<PostgresLedger> {
    const ledger = new PostgresLedger({ url, timeZone });
    onTestFinished(() => ledger.close());
    return ledger;
  }

  storeContract('a ledger in PostgreSQL', async (timeZone) => ledgerAt(await database(), timeZone));

  const NOVEMBER = { since: '2026-11-01', until: '2026-11-30', by: [] };

  it('many that write the same records at once keep each of them once, and its day right', async () => {
    const url = await database();
    const ledgers = await Promise.all([1, 2, 3, 4].map(() => ledgerAt(url)));
    // Connected, and with as much as makes them meet: crosswise, each would wait for what the next one has inserted.
    for (const ledger of ledgers) await ledger.usage(NOVEMBER);
    let written = 0;
    for (let round = 0; round < 8; round++) {
      const entries = Array.from({ length: 500 }, (_, count) => entry({ customer: `c${count % 7}` }));
      const counts = await Promise.all(
        ledgers.map((ledger, index) => ledger.write(index % 2 === 0 ? entries : entries.toReversed())),
      );
      written += counts.reduce((sum, count) => sum + count, 0);
    }
    expect(written).toBe(4_000);
    const [ledger] = ledgers;
    expect((await ledger?.usage(NOVEMBER))?.[0]?.totals).toMatchObject({
      requests: 4_000,
      inputTokens: 40_000,
    });
  });

  it('tables of a later version of Nexus are left alone', async () => {
    const url = await database();
    await (await ledgerAt(url)).write([entry()]);
    await query('INSERT INTO nexus_ledger VALUES (99)', url);
    const ledger = await ledgerAt(url);
    await expect(ledger.write([entry()])).rejects.toThrow(/later version/);
    expect(await query('SELECT count(*)::int AS count FROM nexus_requests', url)).toEqual([{ count: 1 }]);
  });

  it('goes on when PostgreSQL is back, with nothing half written', async () => {
    const url = await database();
    const ledger = await ledgerAt(url);
    await ledger.write([entry()]);
    await postgres.process.stop('SIGQUIT');
    await expect(ledger.write([entry(), entry()])).rejects.toThrow();
    await postgres.restart();
    await until(() => ledger.write([entry(), entry()]), PATIENT);
    expect((await ledger.usage(NOVEMBER))[0]?.totals.requests).toBe(3);
  });

  it('says what is wrong, and no password', async () => {
    const ledger = await ledgerAt('postgres://nexus:hidden-canary@127.0.0.1:9/none');
    const failure = await ledger.write([entry()]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(String(failure)).not.toContain('hidden-canary');
  });
});
