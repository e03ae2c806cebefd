import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
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

/** Longer than lines are gathered. */
const gathered = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 25));

describe('a line buffer', () => {
  it('writes the lines of some milliseconds at once, and one write after the other', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told);
    buffer.push('one\n');
    buffer.push('two\n');
    expect(target.writes).toEqual([]);
    await gathered();
    buffer.push('three\n');
    await gathered();
    buffer.push('four\n');
    expect(target.writes).toEqual(['one\ntwo\n']);
    target.end({ end: 'written' });
    await gathered();
    expect(target.writes).toEqual(['one\ntwo\n', 'three\nfour\n']);
    target.end({ end: 'written' });
    await buffer.flush();
    expect(buffer.dropped).toBe(0);
  });

  it('keeps no more than its bound for a target that takes nothing, and says once how many it dropped', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told, 100);
    buffer.push('first\n');
    await gathered();
    for (let i = 10; i < 1_010; i++) buffer.push(`line ${i}\n`.padStart(10));
    expect(buffer.dropped).toBe(991);
    target.end({ end: 'written' });
    await gathered();
    expect(target.writes[1]?.split('\n')).toHaveLength(10);
    target.end({ end: 'written' });
    await gathered();
    expect(target.writes[2]).toBe('dropped 991\n');
    buffer.push('after\n');
    target.end({ end: 'written' });
    await gathered();
    expect(target.writes.slice(3)).toEqual(['after\n']);
    target.end({ end: 'written' });
    await buffer.flush();
    expect(buffer.dropped).toBe(991);
  });

  it('goes on after writes that were lost, even if it was full then', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told, 20);
    buffer.push('one\n');
    await gathered();
    for (let i = 0; i < 10; i++) buffer.push('more\n');
    target.end({ end: 'lost' });
    await gathered();
    target.end({ end: 'lost' });
    expect(buffer.dropped).toBe(11);
    buffer.push('again\n');
    await gathered();
    target.end({ end: 'written' });
    await gathered();
    expect(target.writes.slice(2)).toEqual(['again\n', 'dropped 11\n']);
  });

  it('drops everything, at no cost, when its target is gone', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told);
    buffer.push('one\n');
    await gathered();
    buffer.push('two\n');
    target.end({ end: 'gone' });
    buffer.push('three\n');
    await gathered();
    await buffer.flush();
    expect(target.writes).toEqual(['one\n']);
    expect(buffer.dropped).toBe(3);
  });

  it('goes on with the very byte at which a write stopped', async () => {
    const target = new HeldTarget();
    const buffer = new LineBuffer(target, told);
    buffer.push('one\ntwo\n');
    await gathered();
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
      if (i % 5_000 === 0) await gathered();
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
    await gathered();
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
