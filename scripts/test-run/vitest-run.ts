import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { OUTCOME_FILE, type Outcome } from './outcome-reporter.ts';

/**
 * Runs the tests, with vitest's own report on stdout.
 *
 * @param args handed to vitest: paths narrow the run, and its options work
 * @returns the outcome; `failed` is at least 1 where vitest itself didn't succeed or ran no test
 */
export async function runTests(root: string, args: readonly string[]): Promise<Outcome> {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus-test-'));
  const file = path.join(folder, 'outcome.json');
  try {
    const code = await runVitest(root, args, file);
    const outcome = readOutcome(file);
    if (outcome.passed + outcome.failed + outcome.skipped.length === 0) {
      console.log(`No test was run${args.length === 0 ? '' : `: nothing matches ${args.join(' ')}`}.`);
      outcome.failed = 1;
    }
    if (code !== 0 && outcome.failed === 0) {
      console.log(`vitest ended with exit code ${code}, though no test failed: see its output above.`);
      outcome.failed = 1;
    }
    return outcome;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runVitest(root: string, args: readonly string[], outcomeFile: string): Promise<number> {
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = [
    '--reporter=default',
    `--reporter=${path.join(import.meta.dirname, 'outcome-reporter.ts')}`,
  ];
  const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    // vitest colours its output wherever CI is set, also in a file.
    env: { ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }), ...process.env, [OUTCOME_FILE]: outcomeFile },
  });
  const stop = (signal: NodeJS.Signals): boolean => child.kill(signal);
  process.on('SIGTERM', stop).on('SIGINT', stop);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      process.off('SIGTERM', stop).off('SIGINT', stop);
      resolve(code ?? 1);
    });
  });
}

/** The outcome that the reporter wrote; an empty one where vitest ended before it could. */
function readOutcome(file: string): Outcome {
  try {
    const parsed: Outcome = JSON.parse(readFileSync(file, 'utf8'));
    return parsed;
  } catch {
    return { passed: 0, failed: 0, skipped: [] };
  }
}
