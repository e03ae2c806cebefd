import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLog } from '../src/index.ts';
import { LineBuffer } from '../src/line-buffer.ts';
import { DescriptorTarget, type OutputTarget, type WriteEnd } from '../src/output-target.ts';

const told = (count: number): string => `dropped ${count}\n`;

/** A target whose writes end when, and how, the test says. */
class HeldTarget implements OutputTarget {
  readonly writes: string[] = [];
  readonly ends: ((end: WriteEnd) => void)[] = [];

  write(bytes: Buffer, done: (end: WriteEnd) => void): void {
    this.writes.push(bytes.toString());
    this.ends.push(done);
  }

  writeNow(): void {}

  release(): void {}

  end(end: WriteEnd): void {
    this.ends.shift()?.(end);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a line buffer', () => {
  it('writes the lines of one turn of the event loop at once, and one write after the other', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told);
    buffer.push('one\n');
    buffer.push('two\n');
    expect(target.writes).toEqual([]);
    await turn();
    buffer.push('three\n');
    await turn();
    buffer.push('four\n');
    expect(target.writes).toEqual(['one\ntwo\n']);
    target.end({ end: 'written' });
    expect(target.writes).toEqual(['one\ntwo\n', 'three\nfour\n']);
    target.end({ end: 'written' });
    await buffer.flush();
    expect(buffer.dropped).toBe(0);
  });

  it('keeps no more than its bound for a target that takes nothing, and says once how many it dropped', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told, 100);
    buffer.push('first\n');
    await turn();
    for (let i = 10; i < 1_010; i++) buffer.push(`line ${i}\n`.padStart(10));
    expect(buffer.dropped).toBe(991);
    target.end({ end: 'written' });
    expect(target.writes[1]?.split('\n')).toHaveLength(10);
    target.end({ end: 'written' });
    expect(target.writes[2]).toBe('dropped 991\n');
    buffer.push('after\n');
    target.end({ end: 'written' });
    expect(target.writes.slice(3)).toEqual(['after\n']);
    target.end({ end: 'written' });
    await buffer.flush();
    expect(buffer.dropped).toBe(991);
  });

  it('goes on after writes that were lost, even if it was full then', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told, 20);
    buffer.push('one\n');
    await turn();
    for (let i = 0; i < 10; i++) buffer.push('more\n');
    target.end({ end: 'lost' });
    target.end({ end: 'lost' });
    expect(buffer.dropped).toBe(11);
    buffer.push('again\n');
    await turn();
    target.end({ end: 'written' });
    expect(target.writes.slice(2)).toEqual(['again\n', 'dropped 11\n']);
  });

  it('drops everything, at no cost, when its target is gone', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told);
    buffer.push('one\n');
    await turn();
    buffer.push('two\n');
    target.end({ end: 'gone' });
    buffer.push('three\n');
    await turn();
    await buffer.flush();
    expect(target.writes).toEqual(['one\n']);
    expect(buffer.dropped).toBe(3);
  });

  it('goes on with the very byte at which a write stopped', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told);
    buffer.push('one\ntwo\n');
    await turn();
    target.end({ end: 'later', bytes: 5 });
    await expect.poll(() => target.writes).toEqual(['one\ntwo\n', 'wo\n']);
    target.end({ end: 'later', bytes: 1 });
    await expect.poll(() => target.writes.at(-1)).toBe('o\n');
    target.end({ end: 'written' });
    expect(buffer.dropped).toBe(0);
  });

  it('ends a flush after two seconds if nothing can be written, and then counts what was left', async () => {
    const buffer = new LineBuffer(new HeldTarget(), told);
    buffer.push('one\n');
    const startMs = performance.now();
    await buffer.close();
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(buffer.dropped).toBe(1);
  });
});

describe('a descriptor', () => {
  it('that is a file gets every line in order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nexus-test-'));
    const descriptor = openSync(join(folder, 'log'), 'a');
    onTestFinished(() => {
      closeSync(descriptor);
      rmSync(folder, { recursive: true });
    });
    const buffer = new LineBuffer(new DescriptorTarget(descriptor), told);
    let expected = '';
    for (let i = 0; i < 50_000; i++) {
      buffer.push(`é line ${i}\n`);
      expected += `é line ${i}\n`;
      if (i % 5_000 === 0) await turn();
    }
    await buffer.close();
    expect(readFileSync(join(folder, 'log'), 'utf8') === expected).toBe(true);
  });

  it.runIf(process.platform === 'linux')('that is on a full disk keeps the lines for later', async () => {
    const descriptor = openSync('/dev/full', 'w');
    onTestFinished(() => closeSync(descriptor));
    const ends: WriteEnd[] = [];
    const target = new DescriptorTarget(descriptor);
    await new Promise<void>((resolve) => {
      target.write(Buffer.from('line\n'), (end) => {
        ends.push(end);
        resolve();
      });
    });
    expect(ends).toEqual([{ end: 'later', bytes: 0 }]);
    const buffer = new LineBuffer(target, told, 1_000);
    for (let i = 0; i < 2_000; i++) buffer.push('x\n');
    expect(buffer.dropped).toBe(1_500);
    await buffer.close();
    expect(buffer.dropped).toBe(2_000);
  });
});

describe('a stream', () => {
  it('that fails and breaks ends neither the process nor the log', async () => {
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }));
      },
    });
    const log = createLog({ level: 'info', write: stream });
    for (let i = 0; i < 5; i++) log.info('lost');
    await log.flush();
    log.info('lost too');
    await log.close();
    expect(log.dropped()).toBe(6);
  });

  it('that is destroyed while a write waits lets the log end', async () => {
    const stream = new Writable({ write() {} });
    const log = createLog({ level: 'info', write: stream });
    log.info('waits');
    await turn();
    stream.destroy();
    await log.flush();
    expect(log.dropped()).toBe(1);
    await log.close();
  });

  it('gets all lines through the log, and what is left at the close', async () => {
    const stream = new PassThrough();
    const log = createLog({ level: 'info', write: stream });
    for (let i = 0; i < 100; i++) log.info('entry', { i });
    const closing = log.close();
    const text: string[] = [];
    stream.on('data', (chunk) => text.push(`${chunk}`));
    await closing;
    expect(text.join('').trimEnd().split('\n')).toHaveLength(100);
    expect(stream.listenerCount('error')).toBe(0);
  });
});

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
    expect(figures.worstMs).toBeLessThan(1_000);
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
