import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const LOG = fileURLToPath(new URL('../src/index.ts', import.meta.url));

/** A process that logs to its standard output; it prints its own figures on standard error. */
function script(body: string): string {
  return `import { createLog } from ${JSON.stringify(LOG)};\nconst log = createLog({ level: 'info' });\n${body}`;
}

describe('standard output', () => {
  async function run(body: string, stdout: 'pipe' | number) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script(body)], {
      stdio: ['ignore', stdout, 'pipe'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const errors: string[] = [];
    child.stderr?.on('data', (chunk) => errors.push(`${chunk}`));
    const ended = once(child, 'close');
    return { child, errors, ended };
  }

  it('that nobody reads holds up neither the loop nor the memory, and tells afterwards what is missing', async () => {
    const { child, errors, ended } = await run(
      `
      let worstMs = 0;
      for (let i = 0; i < 300; i++) {
        const startMs = performance.now();
        for (let k = 0; k < 100; k++) log.info('entry', { text: 'x '.repeat(1000) });
        await new Promise(setImmediate);
        worstMs = Math.max(worstMs, performance.now() - startMs);
      }
      console.error(JSON.stringify({ worstMs, dropped: log.dropped(), mb: process.memoryUsage().rss / 1e6 }));
      const waiting = setInterval(() => {}, 1000);
      process.once('SIGUSR2', async () => { clearInterval(waiting); log.info('last'); await log.close(); });
      `,
      'pipe',
    );
    await expect.poll(() => errors.join(''), { timeout: 10_000 }).toMatch(/\n/);
    const figures: { worstMs: number; dropped: number; mb: number } = JSON.parse(errors.join(''));
    // 60 MB were logged; 8 MB wait.
    expect(figures.dropped).toBeGreaterThan(20_000);
    expect(figures.mb).toBeLessThan(250);
    expect(figures.worstMs).toBeLessThan(5_000);
    const text: string[] = [];
    child.stdout?.on('data', (chunk) => text.push(`${chunk}`));
    await expect.poll(() => text.join(''), { timeout: 5_000 }).toMatch(/log lines dropped/);
    child.kill('SIGUSR2');
    await ended;
    const lines = text
      .join('')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line.message === 'log lines dropped')).toEqual([
      expect.objectContaining({ dropped: figures.dropped, level: 'warn' }),
    ]);
    expect(lines.at(-1)).toMatchObject({ message: 'last' });
    expect(lines.length).toBe(30_000 - figures.dropped + 2);
  });

  it('whose reader goes away does not end the process', async () => {
    const { child, errors, ended } = await run(
      `
      const timer = setInterval(() => {
        log.info('entry');
        if (log.dropped() > 5) { clearInterval(timer); console.error('alive ' + log.dropped()); }
      }, 5);
      `,
      'pipe',
    );
    child.stdout?.once('data', () => child.stdout?.destroy());
    await ended;
    expect(errors.join('')).toMatch(/^alive \d+\n$/);
    expect(child.exitCode).toBe(0);
  });

  it('gets the last lines of a process that exits at once, in a pipe and in a file', async () => {
    const crash = "for (let i = 0; i < 100; i++) log.info('entry', { i }); process.exit(1);";
    const piped = await run(crash, 'pipe');
    const text: string[] = [];
    piped.child.stdout?.on('data', (chunk) => text.push(`${chunk}`));
    await piped.ended;
    expect(text.join('').trimEnd().split('\n')).toHaveLength(100);

    const folder = mkdtempSync(join(tmpdir(), 'nexus-test-'));
    const descriptor = openSync(join(folder, 'log'), 'w');
    onTestFinished(() => {
      closeSync(descriptor);
      rmSync(folder, { recursive: true });
    });
    await (await run(crash, descriptor)).ended;
    expect(readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n')).toHaveLength(100);
  });

  it.runIf(process.platform === 'linux')('on a full disk does not end the process', async () => {
    const descriptor = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(descriptor));
    const { child, errors, ended } = await run(
      `
      log.info('entry');
      await log.close();
      const onStream = createLog({ level: 'info', write: process.stdout });
      onStream.info('entry');
      await onStream.flush();
      onStream.info('entry');
      await onStream.close();
      console.error('dropped ' + log.dropped() + ' and ' + onStream.dropped());
      `,
      descriptor,
    );
    await ended;
    expect(errors.join('')).toBe('dropped 1 and 2\n');
    expect(child.exitCode).toBe(0);
  });
});
