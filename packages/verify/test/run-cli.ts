import { execFile } from 'node:child_process';
import { KEY, MAIN } from './running-gateway.ts';

/** How a command ended, and all it wrote. */
export interface CliEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `nexus verify` in a process of its own, without a terminal, with the key in its environment. */
export function runVerify(
  args: readonly string[],
  env: Record<string, string | undefined> = { NEXUS_KEY: KEY },
): Promise<CliEnd> {
  const options = {
    env: { ...process.env, NODE_OPTIONS: undefined, NEXUS_KEY: undefined, ...env },
    timeout: 100_000,
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'verify', ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}
