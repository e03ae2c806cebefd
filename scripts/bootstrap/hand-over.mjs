import { spawn } from 'node:child_process';
import path from 'node:path';

const FORWARDED = /** @type {const} */ (['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']);

/**
 * Runs a program in this process's place. Where Node can replace a process (`process.execve`, Node ≥ 22.15, not on
 * Windows) nothing is left of this one. Elsewhere this process waits: it hands every signal on, a second one too, and
 * ends as the program ends.
 *
 * @param {readonly string[]} command the program and its arguments
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} the exit code; 128 + n where signal n ended the program, as a shell would say
 */
export async function handOver([program = '', ...args], env) {
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(program, [program, ...args], env);
  }
  const child = spawn(program, args, { stdio: 'inherit', env });
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C and Ctrl-\ to the program as well: handed on, they would count twice.
      if ((signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + signalNumber(signal)));
  });
}

/**
 * @param {NodeJS.Signals} signal
 * @returns {number}
 */
function signalNumber(signal) {
  /** @type {Partial<Record<NodeJS.Signals, number>>} */
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };
  return numbers[signal] ?? 0;
}

/**
 * @param {string} node the executable of Node
 * @returns {NodeJS.ProcessEnv} this environment, in which `node` means that one
 */
export function environmentWith(node) {
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH';
  const folder = path.dirname(node);
  const folders = (process.env[name] ?? '').split(path.delimiter).filter((entry) => entry !== folder);
  return { ...process.env, [name]: [folder, ...folders].join(path.delimiter) };
}
