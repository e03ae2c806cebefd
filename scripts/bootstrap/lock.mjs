/**
 * One set-up at a time. The lock is a directory that holds its owner's name; renaming a prepared directory into place
 * is atomic, so there is no moment at which a lock has no owner. The holder touches it while it works; whoever waits
 * takes it over when the owner's process is gone or the lock has not been touched for a while, measured by the waiter's
 * own clock, so that neither a wrong clock nor a lost machine can keep everybody out.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { say } from './progress.mjs';

const TOUCH_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 100;

/**
 * Runs `work` while holding the lock `<folder>/lock`. Waits for as long as another living process holds it.
 *
 * @template T
 * @param {string} folder made if it is missing
 * @param {() => Promise<T>} work
 * @param {{ untouchedMs?: number }} [options] after how long without a touch a lock is dead
 * @returns {Promise<T>}
 */
export async function withLock(folder, work, { untouchedMs = 30_000 } = {}) {
  const lock = path.join(folder, 'lock');
  await mkdir(folder, { recursive: true });
  const owner = `${process.pid} ${hostname()} ${randomUUID()}`;
  await acquire(folder, lock, owner, untouchedMs);
  const touch = setInterval(() => {
    const now = new Date();
    utimes(lock, now, now).catch(() => {});
  }, TOUCH_EVERY_MS);
  touch.unref();
  try {
    return await work();
  } finally {
    clearInterval(touch);
    if ((await ownerOf(lock)) === owner) await rm(lock, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @param {string} lock
 * @param {string} owner
 * @param {number} untouchedMs
 */
async function acquire(folder, lock, owner, untouchedMs) {
  const prepared = path.join(folder, `lock-${randomUUID()}`);
  await mkdir(prepared);
  await writeFile(path.join(prepared, 'owner'), owner);
  let waiting = false;
  let lastTouch = NaN;
  let lastChangeAt = performance.now();
  for (;;) {
    try {
      await rename(prepared, lock);
      return;
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    const holder = await ownerOf(lock);
    const touchedAt = (await stat(lock).catch(() => undefined))?.mtimeMs ?? NaN;
    if (holder === undefined || Number.isNaN(touchedAt)) continue; // released between the two looks
    if (touchedAt !== lastTouch) {
      lastTouch = touchedAt;
      lastChangeAt = performance.now();
    }
    if (isGone(holder) || performance.now() - lastChangeAt > untouchedMs) {
      await takeAway(folder, lock, holder);
      continue;
    }
    if (!waiting) say('Waiting for another set-up of this checkout to finish …');
    waiting = true;
    await delay(LOOK_EVERY_MS);
  }
}

/**
 * Moves a dead owner's lock aside, to a name made of that owner. Two waiters that judged the same owner dead use the
 * same name, and the second one's rename fails on the first one's result instead of moving a new owner's lock: that is
 * why the grave is left in place here and only removed by the next clean-up.
 *
 * @param {string} folder
 * @param {string} lock
 * @param {string} holder
 */
async function takeAway(folder, lock, holder) {
  const grave = path.join(folder, `lock-dead-${holder.replace(/[^\w-]/g, '_')}`);
  await rename(lock, grave).catch((error) => {
    if (!isTaken(error) && error.code !== 'ENOENT') throw error;
  });
}

/**
 * @param {unknown} error of a rename onto an existing directory; Windows says EPERM
 * @returns {boolean}
 */
function isTaken(error) {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTEMPTY' || code === 'EEXIST' || (code === 'EPERM' && process.platform === 'win32');
}

/**
 * @param {string} holder
 * @returns {boolean} whether the owner ran on this machine and runs no more
 */
function isGone(holder) {
  const [pid, host] = holder.split(' ');
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

/**
 * @param {string} lock
 * @returns {Promise<string | undefined>}
 */
function ownerOf(lock) {
  return readFile(path.join(lock, 'owner'), 'utf8').catch(() => undefined);
}
