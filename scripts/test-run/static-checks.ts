import { availableParallelism } from 'node:os';
import path from 'node:path';
import { plainEnvironment, runCaptured } from '../bootstrap/run-captured.mjs';
import { paint } from './paint.ts';

/** A check that runs nothing of the product. Each counts as one test. */
interface StaticCheck {
  readonly title: string;
  readonly command: readonly string[];
}

const bin = (name: string): string => path.join('node_modules', '.bin', name);

const STATIC_CHECKS: readonly StaticCheck[] = [
  { title: 'format and lint', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  { title: 'types', command: [bin('tsc'), '-p', '.'] },
  { title: 'direction of imports', command: [process.execPath, 'scripts/check-imports.ts'] },
  // A second opinion by another parser: nothing reaches into another package, nothing undeclared is imported.
  { title: 'package boundaries', command: [bin('turbo'), 'boundaries', '--no-color'] },
  { title: 'unused code', command: [bin('knip'), '--no-progress'] },
  { title: 'package.json files', command: [bin('sherif'), '--fail-on-warnings'] },
  { title: 'pinned versions', command: [process.execPath, 'scripts/check-pins.ts'] },
];

/** Longer than any check takes on a slow machine; a check that hangs fails instead of stopping everything. */
const CHECK_TIMEOUT_MS = 180_000;

/**
 * Runs every static check, each by itself, so that one that fails hides no other. Prints a line for each when it ends,
 * and below it the output of one that failed.
 *
 * @returns how many passed and failed
 */
export async function runStaticChecks(root: string): Promise<{ passed: number; failed: number }> {
  const env = {
    ...plainEnvironment(),
    // turbo: no usage reports, no look for a newer version.
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
  };
  const tally = { passed: 0, failed: 0 };
  const waiting = [...STATIC_CHECKS];
  const work = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const startedAt = performance.now();
      const { code, output } = await runCaptured(check.command, {
        cwd: root,
        env,
        timeoutMs: CHECK_TIMEOUT_MS,
      });
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      if (code === 0) {
        tally.passed += 1;
        console.log(`${paint('green', 'ok  ')}  ${check.title} (${seconds} s)`);
      } else {
        tally.failed += 1;
        const late = code === 124 ? ' (took too long)' : '';
        console.log(
          `${paint('red', 'FAIL')}  ${check.title} (${seconds} s)${late}: ${check.command.join(' ')}`,
        );
        console.log(output.trim().replace(/^/gm, '      '));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
  return tally;
}
