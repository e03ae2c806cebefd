import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { atTestEnd } from './at-test-end.ts';

export interface ProcessOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** Laid over this process' environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Who it runs as; only root may start processes of others. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** It has started when a line of its standard output or standard error matches. Its first group is taken for the address. */
  readonly readyWhen: RegExp;
  /** Default 15,000. */
  readonly readyWithinMs?: number;
}

export interface ProcessEnd {
  /** null if a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process under test, with all that it started itself. */
export interface StartedProcess extends AsyncDisposable {
  readonly pid: number;
  /** The first group of `readyWhen`, or else the first http(s) address in the line that matched. */
  readonly url: string | undefined;
  /** Lines so far. */
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Sends a signal to the process alone and goes on. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Sends the signal (default SIGTERM), after `withinMs` (default 5,000) SIGKILL, and waits for its end. */
  readonly stop: (signal?: NodeJS.Signals, withinMs?: number) => Promise<ProcessEnd>;
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<ProcessEnd>;
}

const groups = new Set<number>();

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of it lives any more.
  }
}

function killAll(): void {
  for (const pid of groups) killGroup(pid);
}

/**
 * Starts a process in a group of its own and resolves when it is ready. Rejects, with its output, if it ends before or is not ready in
 * time. At the end of the test, at the latest at the end of this process, the whole group is killed.
 */
export async function startProcess(options: ProcessOptions): Promise<StartedProcess> {
  const child = spawn(options.command, options.args ?? [], {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    ...options.user,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout: string[] = [];
  const stderr: string[] = [];
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => {});
  const pid = child.pid;
  // A command that can't be started has no pid, and its error comes.
  if (pid === undefined) return failed;

  if (groups.size === 0) process.on('exit', killAll);
  groups.add(pid);
  const destroy = async (): Promise<void> => {
    killGroup(pid);
    await ended;
    groups.delete(pid);
    if (groups.size === 0) process.off('exit', killAll);
  };

  const ready = new Promise<RegExpExecArray>((resolve) => {
    const take = (lines: string[], line: string): void => {
      lines.push(line);
      const match = options.readyWhen.exec(line);
      if (match !== null) resolve(match);
    };
    createInterface({ input: child.stdout }).on('line', (line) => take(stdout, line));
    createInterface({ input: child.stderr }).on('line', (line) => take(stderr, line));
  });

  const limit = new AbortController();
  const withinMs = options.readyWithinMs ?? 15_000;
  const tooLate = wait(withinMs, 'too late' as const, { signal: limit.signal });
  tooLate.catch(() => {});
  const first = await Promise.race([ready, ended, tooLate]);
  limit.abort();
  if (!Array.isArray(first)) {
    await destroy();
    const why =
      first === 'too late'
        ? `was not ready within ${withinMs} ms`
        : `ended at once with ${first.code ?? first.signal}`;
    throw new Error(`${options.command} ${why}:\n${[...stdout, ...stderr].join('\n')}`);
  }

  await atTestEnd(destroy);
  return {
    pid,
    url: first[1] ?? /https?:\/\/[^\s"'<>]+/.exec(first.input)?.[0],
    stdout,
    stderr,
    ended,
    signal: (signal) => {
      child.kill(signal);
    },
    stop: async (signal = 'SIGTERM', stopWithinMs = 5_000) => {
      child.kill(signal);
      const patience = setTimeout(killGroup, stopWithinMs, pid);
      const end = await ended;
      clearTimeout(patience);
      return end;
    },
    [Symbol.asyncDispose]: destroy,
  };
}
