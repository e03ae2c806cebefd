import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type ConfigProblem, ConfigProblems, type LoadedConfig, loadConfig } from '../src/index.ts';

/** A folder of its own for the test file, removed at its end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nexus-config-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly nowMs?: () => number;
}

/** Loads a text as the config.yaml of a folder. */
export function loadText(folder: string, text: string | Uint8Array, given: Given = {}): LoadedConfig {
  writeFileSync(join(folder, 'config.yaml'), text);
  return loadConfig({ args: given.args ?? [], env: given.env ?? {}, cwd: folder, ...given });
}

/** What is thrown instead of a configuration. */
export function refusal(load: () => LoadedConfig): ConfigProblems {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigProblems) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

/** The problems of a text, each as `line: what is wrong; what would be right`. */
export function problemLines(folder: string, text: string | Uint8Array, given: Given = {}): string[] {
  return refusal(() => loadText(folder, text, given)).problems.map(problemLine);
}

function problemLine({ file, line, wrong, remedy }: ConfigProblem): string {
  return `${line ?? file}: ${wrong}; ${remedy}`;
}
