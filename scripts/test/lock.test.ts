import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withLock } from '../bootstrap/lock.mjs';
import { silenceProgress } from '../bootstrap/progress.mjs';

silenceProgress();

function emptyFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nexus lock '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function leaveLock(folder: string, owner: string): void {
  mkdirSync(path.join(folder, 'lock'));
  writeFileSync(path.join(folder, 'lock', 'owner'), owner);
}

/** The process id of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

describe('the lock of the set-up', () => {
  it('lets one at a time through, however many come at once', async () => {
    const folder = emptyFolder();
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(setImmediate);
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(folder, work)));
    expect(most).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is given back when the work fails', async () => {
    const folder = emptyFolder();
    await expect(withLock(folder, () => Promise.reject(new Error('disk full')))).rejects.toThrow('disk full');
    expect(existsSync(path.join(folder, 'lock'))).toBe(false);
  });

  it('is taken over at once from a process that was killed, by one of many waiters at a time', async () => {
    const folder = emptyFolder();
    leaveLock(folder, `${endedProcess()} ${hostname()} some-token`);
    let inside = 0;
    const seen: number[] = [];
    const work = async () => {
      inside += 1;
      await new Promise(setImmediate);
      seen.push(inside);
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(folder, work)));
    expect(seen).toEqual(Array.from({ length: 8 }, () => 1));
  });

  it('is taken over from another machine once nobody touches it any more', async () => {
    const folder = emptyFolder();
    leaveLock(folder, `${process.pid} another-machine some-token`);
    await expect(withLock(folder, async () => 'mine', { untouchedMs: 300 })).resolves.toBe('mine');
  });
});
