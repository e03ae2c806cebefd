import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The virtual environments with a Python client each, as scripts/python-clients.ts makes them. */
export type PythonEnvironment = 'openai-0.28.1' | 'openai-latest';

const FOLDER = new URL('../../../.tools/python/', import.meta.url);

/** The environment's interpreter. */
export function pythonOf(environment: PythonEnvironment): string {
  return fileURLToPath(new URL(`${environment}/bin/python`, FOLDER));
}

/** Why the environment can't be used here: the reason of a skipped test. Undefined if it can. */
export function whyNoPython(environment: PythonEnvironment): string | undefined {
  if (existsSync(new URL(`${environment}/ready`, FOLDER))) return undefined;
  const reason = new URL('unavailable.txt', FOLDER);
  if (existsSync(reason)) return `no ${environment} for Python: ${readFileSync(reason, 'utf8').trim()}`;
  return `no ${environment} for Python: node scripts/python-clients.ts prepares it`;
}

/** The environment variables for a Python under test: a proxy of this machine is never asked for loopback addresses. */
export function pythonVariables(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, NO_PROXY: '*', PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1', ...more };
}

/** How a snippet ended. */
export interface PythonRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a snippet as `python -c` does, for at most `withinMs` (default 15,000; then its code is -1). */
export function runPython(
  environment: PythonEnvironment,
  snippet: string,
  options: { readonly env?: Readonly<Record<string, string>>; readonly withinMs?: number } = {},
): Promise<PythonRun> {
  const settings = { env: pythonVariables(options.env), timeout: options.withinMs ?? 15_000 };
  return new Promise((resolve) => {
    execFile(pythonOf(environment), ['-c', snippet], settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}
