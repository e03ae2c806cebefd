import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** Runs the process; `onListening` gets its URL as soon as it is printed and may end it. */
function run(args: readonly string[], onListening?: (url: string, end: () => void) => Promise<void>) {
  return new Promise<{ code: number | null; out: string; err: string }>((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args]);
    let out = '';
    let err = '';
    let told = false;
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const url = /on (http:\S+?)(?:,|\n)/.exec(out)?.[1];
      if (url === undefined || told) return;
      told = true;
      onListening?.(url, () => child.kill('SIGTERM')).catch(reject);
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

describe('the process of a simulator', () => {
  it('prints where it listens, answers with the fault it was given, and ends on SIGTERM', async () => {
    let status = 0;
    const { code, out } = await run(['--port', '0', '--fault', 'error-503'], async (url, end) => {
      status = (await fetch(`${url}/v1/models`)).status;
      end();
    });
    expect([status, code]).toEqual([503, 0]);
    expect(out).toContain('curl http://127.0.0.1:');
  });

  it('prints its help for -help', async () => {
    const { code, out } = await run(['-help']);
    expect(code).toBe(0);
    expect(out).toContain('--tokens-per-second');
  });

  it('exits with 2 on wrong usage and names the flags', async () => {
    const { code, err } = await run(['--speed', '9']);
    expect(code).toBe(2);
    expect(err).toContain('The flags are --port');
  });

  it('exits with 1 where the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const { code, err } = await run(['--port', `${address.port}`]);
    other.close();
    expect(code).toBe(1);
    expect(err).toContain('EADDRINUSE');
  });
});
