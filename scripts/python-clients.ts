/**
 * The Python clients that tests drive the gateway with, each in a virtual environment of its own:
 *
 *     .tools/python/openai-0.28.1/bin/python     the last openai-python before 1.0, still in use in old programs
 *     .tools/python/openai-latest/bin/python     today's
 *     .tools/python/<either>/ready               is there once the environment is complete
 *     .tools/python/unavailable.txt              why one isn't: a sentence for the reason of a skipped test
 *
 * A test uses an environment only where its `ready` is there, and else calls `skip()` with the text of unavailable.txt.
 * `npm test` prepares both before the tests, in parallel with the static checks; `node scripts/python-clients.ts`
 * does it alone. They are made once. Where python3 or pip's index is missing this ends within TIME_LIMIT_MS, and tries
 * again at the next run, though not within RETRY_AFTER_MS.
 */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withLock } from './bootstrap/lock.mjs';
import { plainEnvironment, runCaptured } from './bootstrap/run-captured.mjs';

const ENVIRONMENTS = [
  { name: 'openai-0.28.1', requirements: ['openai==0.28.1'] },
  { name: 'openai-latest', requirements: ['openai==3.54.0'] },
];

const TIME_LIMIT_MS = 90_000;
const RETRY_AFTER_MS = 10 * 60_000;

/** Where systems keep the certificates they trust; the pip of an older Python trusts only its own list. */
const SYSTEM_CERTIFICATES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];

/**
 * Makes both environments where they aren't complete yet. Never throws.
 *
 * @param root the checkout
 * @returns whether both are usable, and that in words
 */
export async function preparePythonClients(root: string): Promise<{ ready: boolean; summary: string }> {
  const folder = path.join(root, '.tools', 'python');
  const missing = () => ENVIRONMENTS.filter((environment) => !isReady(folder, environment));
  if (missing().length === 0) return { ready: true, summary: 'ready' };
  const reasonFile = path.join(folder, 'unavailable.txt');
  const age = Date.now() - (statSync(reasonFile, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (age >= 0 && age < RETRY_AFTER_MS)
    return { ready: false, summary: readFileSync(reasonFile, 'utf8').trim() };
  const startedAt = performance.now();
  try {
    await withLock(folder, async () => {
      const python = await findPython(folder);
      const deadline = startedAt + TIME_LIMIT_MS;
      await Promise.all(missing().map((environment) => make(folder, environment, python, deadline)));
      rmSync(reasonFile, { force: true });
    });
    return { ready: true, summary: `installed in ${((performance.now() - startedAt) / 1000).toFixed(1)} s` };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    try {
      writeFileSync(reasonFile, `${reason}\n`);
    } catch {
      // A read-only checkout: the summary below still says why.
    }
    return { ready: false, summary: reason };
  }
}

type Environment = (typeof ENVIRONMENTS)[number];

function isReady(folder: string, { name, requirements }: Environment): boolean {
  const stamp = path.join(folder, name, 'ready');
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === requirements.join('\n');
}

/** A Python that can make virtual environments. Debian's can't before python3-venv is installed. */
async function findPython(cwd: string): Promise<string> {
  let reason = 'no python3 on this machine';
  for (const python of ['python3', '/usr/bin/python3']) {
    const probe = 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))';
    const { code } = await runCaptured([python, '-c', probe], { cwd, timeoutMs: 15_000 });
    if (code === 0) return python;
    if (code !== 127) reason = 'python3 is too old or lacks venv (Debian: apt install python3-venv)';
  }
  throw new Error(reason);
}

async function make(
  folder: string,
  environment: Environment,
  python: string,
  deadline: number,
): Promise<void> {
  const home = path.join(folder, environment.name);
  rmSync(home, { recursive: true, force: true });
  const run = async (command: readonly string[], failure: string): Promise<void> => {
    const timeoutMs = Math.max(1, deadline - performance.now());
    const { code, output } = await runCaptured(command, { cwd: folder, env: pipEnvironment(), timeoutMs });
    if (code === 124) throw new Error(`${failure} within ${TIME_LIMIT_MS / 1000} s`);
    const lastLine = output.trim().split('\n').at(-1) ?? '';
    if (code !== 0) throw new Error(`${failure}: ${lastLine}`);
  };
  await run([python, '-m', 'venv', home], `python3 could not make ${environment.name}`);
  const pip = [path.join(home, 'bin', 'python'), '-m', 'pip', '--no-input', '--disable-pip-version-check'];
  const options = ['--only-binary', ':all:', '--retries', '1', '--timeout', '15'];
  await run(
    [...pip, 'install', ...options, ...environment.requirements],
    `pip could not install ${environment.name}`,
  );
  writeFileSync(path.join(home, 'ready'), environment.requirements.join('\n'));
}

function pipEnvironment(): NodeJS.ProcessEnv {
  const env = plainEnvironment();
  const certificates = SYSTEM_CERTIFICATES.find((file) => existsSync(file));
  if (certificates !== undefined) env.PIP_CERT ??= certificates;
  return env;
}

if (import.meta.main) {
  const { ready, summary } = await preparePythonClients(path.dirname(import.meta.dirname));
  console.log(summary);
  process.exitCode = ready ? 0 : 1;
}
