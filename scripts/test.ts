/**
 * `npm test`: the static checks and every test, then one line `N passed, N failed, N skipped`. A static check counts as
 * one test. Exit code 1 where anything failed or nothing was tested.
 *
 *     npm test -- packages/limits       the static checks and the tests below this path
 *     npm test -- -t 'burst'            the tests with this word in their name
 */
import path from 'node:path';
import { preparePythonClients } from './python-clients.ts';
import { ensureServer, SERVERS } from './servers.mjs';
import type { Outcome } from './test-run/outcome-reporter.ts';
import { paint } from './test-run/paint.ts';
import { runStaticChecks } from './test-run/static-checks.ts';
import { runTests } from './test-run/vitest-run.ts';

const root = path.dirname(import.meta.dirname);
const args = process.argv.slice(2);

const [checks, python, ...servers] = await Promise.all([
  runStaticChecks(root),
  preparePythonClients(root),
  ...[...SERVERS.keys()].map(async (name) => ({ name, ...(await ensureServer(root, name)) })),
]);
console.log(
  `${python.ready ? paint('green', 'ok  ') : paint('yellow', 'skip')}  Python clients: ${python.summary}`,
);
for (const server of servers) {
  const missing = 'missing' in server;
  console.log(
    `${missing ? paint('yellow', 'skip') : paint('green', 'ok  ')}  ${server.name}: ${missing ? server.missing : server.version}`,
  );
}

const tests = await runTests(root, args);
printSkipped(tests.skipped);
const failed = checks.failed + tests.failed;
console.log(`\n${checks.passed + tests.passed} passed, ${failed} failed, ${tests.skipped.length} skipped`);
process.exitCode = failed > 0 ? 1 : 0;

/** Lists what was skipped below its reason; a long list is cut, its length is always told. */
function printSkipped(skipped: Outcome['skipped']): void {
  const byReason = Map.groupBy(skipped, ({ reason }) => reason);
  for (const [reason, entries] of byReason) {
    console.log(`\n${paint('yellow', 'skipped')} ${entries.length}: ${reason}`);
    for (const { test } of entries.slice(0, 20)) console.log(`  ${test}`);
    if (entries.length > 20) console.log(`  and ${entries.length - 20} more`);
  }
}
