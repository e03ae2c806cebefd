import { describe, expect, it } from 'vitest';
import { startProcess, until } from '../src/index.ts';

const SERVER = `
  const server = require('node:http').createServer((_, res) => res.end(process.env.WORD)).listen(0, '127.0.0.1', () => {
    console.log('starting');
    console.log('listening on http://127.0.0.1:' + server.address().port + ' now');
  });
  process.on('SIGTERM', () => process.exit(7));
`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('startProcess', () => {
  it('resolves when the process is ready, with its address, and stops it with a signal', async () => {
    const server = await startProcess({
      command: process.execPath,
      args: ['-e', SERVER],
      env: { WORD: 'hello' },
      readyWhen: /listening on/,
    });
    expect(await (await fetch(server.url ?? '')).text()).toBe('hello');
    expect(server.stdout[0]).toBe('starting');
    expect(await server.stop()).toEqual({ code: 7, signal: null });
  });

  it('takes the address from the first group where there is one', async () => {
    const server = await startProcess({
      command: process.execPath,
      args: ['-e', SERVER],
      readyWhen: /http:\/\/127\.0\.0\.1:(\d+)/,
    });
    expect(server.url).toMatch(/^\d+$/);
  });

  it('kills what does not stop by itself', async () => {
    const stubborn = await startProcess({
      command: process.execPath,
      args: ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('ready')"],
      readyWhen: /ready/,
    });
    expect(await stubborn.stop('SIGTERM', 50)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('rejects with the output of a process that ends before it is ready', async () => {
    const options = { command: process.execPath, readyWhen: /never/ };
    await expect(
      startProcess({ ...options, args: ['-e', "console.error('no config'); process.exit(3)"] }),
    ).rejects.toThrow(/ended at once with 3:\nno config/);
    await expect(
      startProcess({ ...options, args: ['-e', 'setInterval(() => {}, 1000)'], readyWithinMs: 100 }),
    ).rejects.toThrow('not ready within 100 ms');
    await expect(startProcess({ command: './no-such-command', readyWhen: /x/ })).rejects.toThrow('ENOENT');
  });

  let abandoned: readonly number[] = [];

  it('leaves a process and its own child running', async () => {
    const parent = await startProcess({
      command: process.execPath,
      args: [
        '-e',
        "const child = require('node:child_process').spawn('sleep', ['600']); console.log('child ' + child.pid); setInterval(() => {}, 1000)",
      ],
      readyWhen: /child (\d+)/,
    });
    abandoned = [parent.pid, Number(parent.url)];
    expect(abandoned.every(isAlive)).toBe(true);
  });

  it('has killed both at the end of that test', async () => {
    expect(abandoned).toHaveLength(2);
    // A killed process has its number until it is reaped, which may take the system's first process a while.
    await until(() => !abandoned.some(isAlive), { withinMs: 15_000 });
  });
});
