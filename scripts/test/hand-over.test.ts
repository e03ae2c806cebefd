import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const HAND_OVER = path.join(import.meta.dirname, '..', 'bootstrap', 'hand-over.mjs');

/** Starts a process that hands over to `program`; without `process.execve`, as on Node 20, where `waits`. */
function start(program: string, { waits }: { waits: boolean }): ChildProcess {
  const source = `
    ${waits ? 'process.execve = undefined;' : ''}
    const { handOver, environmentWith } = await import(${JSON.stringify(HAND_OVER)});
    process.exitCode = await handOver([process.execPath, '-e', ${JSON.stringify(program)}], environmentWith(process.execPath));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function nextLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no stdout');
  const [chunk] = await once(child.stdout, 'data');
  return String(chunk).trim();
}

describe.each([{ waits: false }, { waits: true }])(
  'handing over to a program (a process waits for it: $waits)',
  (how) => {
    it('ends with its exit code', async () => {
      const child = start('process.exit(7)', how);
      expect(await once(child, 'exit')).toEqual([7, null]);
    });

    it.each(['SIGTERM', 'SIGINT'] as const)('passes every %s on', async (signal) => {
      const child = start(
        `let n = 0; process.on('${signal}', () => { console.log('heard', ++n); if (n === 2) process.exit(5); });
       setInterval(() => {}, 1000); console.log('ready');`,
        how,
      );
      expect(await nextLine(child)).toBe('ready');
      child.kill(signal);
      expect(await nextLine(child)).toBe('heard 1');
      child.kill(signal);
      expect(await once(child, 'exit')).toEqual([5, null]);
    });
  },
);

it('a program that a signal ended has the exit code a shell would give it', async () => {
  const child = start(`process.kill(process.pid, 'SIGKILL')`, { waits: true });
  expect(await once(child, 'exit')).toEqual([137, null]);
});

it('leaves no process between the program and its signals where Node can replace a process', async () => {
  const child = start('console.log(process.pid)', { waits: false });
  expect(await nextLine(child)).toBe(String(child.pid));
});
