import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { handClock, tempDir, until } from '../src/index.ts';

describe('handClock', () => {
  it('stands still until it is moved, also when its now is passed on alone', () => {
    const { now, advance } = handClock(1_000);
    expect(now()).toBe(1_000);
    advance(250);
    advance(-1);
    expect(now()).toBe(1_249);
  });
});

describe('until', () => {
  it('gives back the first outcome of the condition, zero and the empty text among them', async () => {
    let asked = 0;
    expect(await until(() => (++asked < 3 ? undefined : asked))).toBe(3);
    expect(await until(() => 0)).toBe(0);
    expect(await until(async () => '')).toBe('');
  });

  it('rejects when the time is over, with the last error as the cause', async () => {
    const waiting = until(
      () => {
        throw new Error('not there');
      },
      { withinMs: 20 },
    );
    await expect(waiting).rejects.toMatchObject({
      message: expect.stringContaining('within 20 ms'),
      cause: new Error('not there'),
    });
  });
});

describe('tempDir', () => {
  let left = '';
  afterAll(() => {
    expect(existsSync(left)).toBe(false);
  });

  it('is empty and new, and gone after the test', async () => {
    left = await tempDir();
    expect(await tempDir()).not.toBe(left);
    await writeFile(join(left, 'file'), 'x');
  });
});
