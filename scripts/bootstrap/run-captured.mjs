import { spawn } from 'node:child_process';

/** Settings of an outer `npm run` that would change what our own npm and pnpm calls do. */
const OUTER_SETTINGS =
  /^npm_config_(prefix|local_prefix|global_prefix|global|omit|include|only|production|workspace|workspaces|include_workspace_root|dry_run|package_lock_only|loglevel|ignore_scripts)$/i;

/** @returns {NodeJS.ProcessEnv} this process's environment without what an outer npm or NODE_ENV would change */
export function plainEnvironment() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) if (OUTER_SETTINGS.test(name)) delete env[name];
  delete env.NODE_ENV; // "production" would leave out what the tests need
  return env;
}

/**
 * Runs a program to its end with its output kept back.
 *
 * @param {readonly string[]} command the program and its arguments
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} options
 * @returns {Promise<{ code: number, output: string }>} `code` is 127 where the program could not be started and 124
 *   where it took too long; `output` is stdout and stderr as they came
 */
export function runCaptured([program = '', ...args], { cwd, env = plainEnvironment(), timeoutMs = 0 }) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer =
      timeoutMs > 0
        ? setTimeout(() => {
            child.kill('SIGKILL');
            resolve({ code: 124, output });
          }, timeoutMs)
        : undefined;
    /** @param {Buffer} chunk */
    const keep = (chunk) => {
      output = (output + chunk.toString('utf8')).slice(-100_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, output: `${output}${error.message}\n` });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, output });
    });
  });
}
