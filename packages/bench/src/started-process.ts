import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Remote } from './remote.ts';

/** A process of the measurement. */
export interface StartedProcess {
  readonly pid: number;
  /** Only of a process started with `asks`. */
  readonly remote: Remote;
  /** The end of what it said on stderr. */
  readonly complaints: () => string;
  readonly ended: () => boolean;
  /** Ends it at once. */
  readonly stop: () => Promise<void>;
}

export interface StartOptions {
  /** The cores to run on, as taskset takes them; undefined: any. */
  readonly cores: string | undefined;
  /** Whether it answers its parent (`answerParent`). */
  readonly asks: boolean;
}

const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.once(signal, () => process.exit(code));

/** Starts Node with these arguments. */
export function startNode(args: readonly string[], options: StartOptions): StartedProcess {
  return startProgram(process.execPath, args, options);
}

/** Starts a program. Its stdout is a pipe that is read and dropped, as a log collector would. */
export function startProgram(
  program: string,
  args: readonly string[],
  { cores, asks }: StartOptions,
): StartedProcess {
  const pinned = cores === undefined ? [] : ['taskset', '-c', cores];
  const [command = program, ...rest] = [...pinned, program, ...args];
  const child = spawn(command, rest, {
    // `ignore` would leave fd 3 closed for those that don't ask.
    stdio: asks ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  child.stdout?.resume();
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  return {
    pid: child.pid ?? Number.NaN,
    remote: new Remote(child),
    complaints: () => said,
    ended: () => !running.has(child),
    stop: async () => {
      if (!running.has(child)) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** A TCP port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return address.port;
}

/**
 * Resolves once a connection to the port can be made, trying every 2 ms.
 * @throws Error with what the process complained about, if it ended or `withinMs` have passed
 */
export async function untilListening(
  process: StartedProcess,
  port: number,
  withinMs = 15_000,
): Promise<void> {
  const startedMs = performance.now();
  while (!(await canConnect(port))) {
    const late = performance.now() - startedMs > withinMs;
    if (process.ended() || late) {
      const what = late ? `did not listen within ${withinMs} ms` : 'ended before it listened';
      await process.stop();
      throw new Error(`It ${what}.\n${process.complaints().trim()}`);
    }
    await wait(2);
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const say = (can: boolean): void => {
      socket.destroy();
      resolve(can);
    };
    socket.once('connect', () => say(true));
    socket.once('error', () => say(false));
  });
}
