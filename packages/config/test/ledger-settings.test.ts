import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadText, problemLines, temporaryFolder } from './temporary-config.ts';

const folder = temporaryFolder();
const load = (text: string, given = {}) => loadText(folder, `target_url: http://x\n${text}`, given).config;
const URL_TEXT = 'postgres://nexus:hidden@db:5432/nexus';

describe('the ledger', () => {
  it('is none unless it is asked for', () => {
    expect(load('').ledger).toBeUndefined();
  });

  it('is a file beside the configuration, kept for 400 days', () => {
    expect(load('ledger: {}').ledger).toMatchObject({
      path: join(folder, 'nexus.db'),
      keepMs: 400 * 86_400_000,
      postgresUrl: undefined,
    });
    const given = 'ledger: { path: /var/lib/nexus/ledger.db, keep: 36h }';
    expect(load(given).ledger).toMatchObject({ path: '/var/lib/nexus/ledger.db', keepMs: 36 * 3_600_000 });
    expect([load('ledger: { queue: 500 }').ledger?.queue, load(given).ledger?.queue]).toEqual([
      500,
      undefined,
    ]);
  });

  it('is in PostgreSQL where its address is given, in the file or in a secret’s file', () => {
    writeFileSync(join(folder, 'database_url'), `${URL_TEXT}\n`);
    expect(load(`ledger: { postgres_url: "${URL_TEXT}" }`).ledger?.postgresUrl).toBe(URL_TEXT);
    expect(load('ledger: { postgres_url: file:database_url }').ledger?.postgresUrl).toBe(URL_TEXT);
    const fromVariable = `ledger: { postgres_url: "\${DATABASE_URL:-}" }`;
    expect(load(fromVariable, { env: { DATABASE_URL: URL_TEXT } }).ledger?.postgresUrl).toBe(URL_TEXT);
    expect(load(fromVariable).ledger?.postgresUrl).toBeUndefined();
  });

  it('shows its password to nobody who prints it', () => {
    const config = load(`ledger: { postgres_url: "${URL_TEXT}" }`);
    expect(inspect(config, { depth: 20, showHidden: true }) + JSON.stringify(config)).not.toContain('hidden');
  });

  it.each([
    ['ledger: nexus.db', '`ledger` is not a mapping'],
    ['ledger: { keep: 400 }', '`ledger.keep` is no duration; write such as 400d'],
    ['ledger: { queue: 9 }', '`ledger.queue` is no number of records; write 10 to 1000000, such as 100000'],
    ['ledger: { queue: all }', '`ledger.queue` is no number of records'],
    ['ledger: { keep: 1h }', '`ledger.keep` is too short; write 1d at least'],
    ['ledger: { paths: x }', 'unknown setting `ledger.paths`; did you mean `path`?'],
    ['ledger: { postgres_url: "mysql://u:hidden@h/d" }', '`ledger.postgres_url` is no address of PostgreSQL'],
  ])('%s is refused', (text, problem) => {
    const lines = problemLines(folder, text).join('\n');
    expect(lines).toContain(problem);
    expect(lines).not.toContain('hidden');
  });
});
