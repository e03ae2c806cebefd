import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inTime, NoAnswerError } from '../../src/redis/answer-in-time.ts';

/** Keeps this thread from everything else. */
function standStill(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}

describe('an answer of Redis', () => {
  it('that comes in time is given on, and so is an error', async () => {
    expect(await inTime(wait(5, 'yes'), 1_000)).toBe('yes');
    await expect(inTime(Promise.reject(new Error('READONLY')), 1_000)).rejects.toThrow('READONLY');
  });

  it('that never comes ends the wait', async () => {
    await expect(inTime(new Promise(() => {}), 50)).rejects.toThrow(NoAnswerError);
  });

  it('counts as in time if it came while this process stood still', async () => {
    const answer = inTime(wait(20, 'yes'), 50);
    standStill(300);
    expect(await answer).toBe('yes');
  });

  it('that fails late disturbs nobody', async () => {
    let fail: (error: Error) => void = () => {};
    const answer = new Promise((_, reject) => {
      fail = reject;
    });
    await expect(inTime(answer, 20)).rejects.toThrow(NoAnswerError);
    fail(new Error('closed'));
    await wait(1);
  });
});
