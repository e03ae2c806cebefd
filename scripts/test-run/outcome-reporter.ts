import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** What a run of the tests came to. */
export interface Outcome {
  passed: number;
  /** Tests that failed or never ended, files that could not be loaded, and errors that no test caught. */
  failed: number;
  skipped: { test: string; reason: string }[];
}

/** The environment variable that names the file the outcome is written to, as JSON. */
export const OUTCOME_FILE = 'NEXUS_TEST_OUTCOME';

/**
 * After this long without any test ending, the run is given up. vitest's own time limits can't end a test that never
 * gives the event loop back; this process can, since tests run in others.
 */
const SILENCE_LIMIT_MS = 180_000;

/** A vitest reporter that counts tests for the last line of `npm test`, and keeps why tests were skipped. */
export default class OutcomeReporter implements Reporter {
  readonly #running = new Set<TestModule>();
  readonly #ended: TestModule[] = [];
  #silence: NodeJS.Timeout | undefined;

  onTestRunStart(): void {
    this.#silence = setTimeout(() => this.#giveUp(), SILENCE_LIMIT_MS);
  }

  onTestModuleStart(module: TestModule): void {
    this.#running.add(module);
    this.#silence?.refresh();
  }

  onTestCaseResult(): void {
    this.#silence?.refresh();
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module);
    this.#ended.push(module);
    this.#silence?.refresh();
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    clearTimeout(this.#silence);
    write(modules, unhandledErrors.length);
  }

  #giveUp(): void {
    const files = [...this.#running].map((module) => module.relativeModuleId);
    console.error(`\nNo test has ended for ${SILENCE_LIMIT_MS / 1000} s: given up.`);
    console.error(`Still at work: ${files.join(', ') || 'nothing that vitest knows of'}`);
    write([...this.#ended, ...this.#running], this.#running.size === 0 ? 1 : 0);
    process.exit(1);
  }
}

function write(modules: readonly TestModule[], otherErrors: number): void {
  const outcome: Outcome = { passed: 0, failed: otherErrors, skipped: [] };
  for (const module of modules) {
    outcome.failed += module.errors().length;
    for (const suite of module.children.allSuites()) outcome.failed += suite.errors().length;
    for (const test of module.children.allTests()) count(test, module, outcome);
  }
  const file = process.env[OUTCOME_FILE];
  if (file !== undefined) writeFileSync(file, JSON.stringify(outcome));
}

function count(test: TestCase, module: TestModule, outcome: Outcome): void {
  const result = test.result();
  if (result.state === 'passed') outcome.passed += 1;
  else if (result.state === 'skipped') {
    const reason = result.note ?? (test.options.mode === 'todo' ? 'to do' : 'no reason given');
    outcome.skipped.push({ test: `${module.relativeModuleId}: ${test.fullName}`, reason });
  } else outcome.failed += 1;
}
