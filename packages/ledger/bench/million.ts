/**
 * How long a million records take to write, and a month's report of them, in a file: `node packages/ledger/bench/million.ts [CUSTOMERS]`. With as
 * many customers as records, every record has a row of its own.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dimension, usageReport } from '../src/index.ts';
import { SqliteTables } from '../src/sqlite/sqlite-tables.ts';
import { entry } from '../test/entries.ts';

const RECORDS = 1_000_000;
const TOGETHER = 1_000;
const customers = Number(process.argv[2] ?? 200);
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'o3', 'text-embedding-3-small', 'claude-sonnet-4-5'];
const MONTH = { since: '2026-11-01', until: '2026-11-30' };
const REPORTS: readonly (readonly Dimension[])[] = [
  ['month', 'team'],
  ['day', 'team', 'model'],
  ['customer'],
];

function record(count: number) {
  const startedMs = Date.UTC(2026, 10, 1) + Math.floor((count * 30 * 86_400_000) / RECORDS);
  return entry({
    team: `team-${count % 10}`,
    keyId: `key-${count % 50}`,
    // A prime: neighbours are not the same.
    customer: `customer-${(count * 7_919) % customers}`,
    model: MODELS[count % MODELS.length],
    startedMs,
    endedMs: startedMs + 500,
  });
}

const folder = mkdtempSync(join(tmpdir(), 'nexus-million-'));
try {
  const path = join(folder, 'ledger.db');
  const tables = new SqliteTables({ path, timeZone: 'UTC' });
  let startMs = performance.now();
  const took = () => `${Math.round(performance.now() - startMs)} ms`;
  for (let count = 0; count < RECORDS; count += TOGETHER)
    tables.write(Array.from({ length: TOGETHER }, (_, more) => record(count + more)));
  console.log(`written: ${took()}, ${Math.round(statSync(path).size / 1e6)} MB`);
  for (const by of REPORTS) {
    startMs = performance.now();
    const { rows } = await usageReport(
      { usage: async (query) => tables.usage(query) },
      { ...MONTH, by },
      'UTC',
    );
    console.log(`by ${by.join(', ')}: ${took()}, ${rows.length} rows`);
  }
  startMs = performance.now();
  tables.modelDays(MONTH.since, MONTH.until);
  console.log(`by day of UTC and model, from the records: ${took()}`);
  tables.close();
} finally {
  rmSync(folder, { recursive: true });
}
