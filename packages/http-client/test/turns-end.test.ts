import { until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { waitForTurnsEnd } from '../src/index.ts';

function work(done: string[], name: string): { atTurnsEnd(): void } {
  return { atTurnsEnd: () => void done.push(name) };
}

describe('What waits for the end of a turn', () => {
  it('is done in order, behind all that the turn still does, and before the next one reads', async () => {
    const done: string[] = [];
    waitForTurnsEnd(work(done, 'first'));
    waitForTurnsEnd({
      atTurnsEnd: () => {
        done.push('second');
        waitForTurnsEnd(work(done, 'in the next turn'));
      },
    });
    waitForTurnsEnd(work(done, 'third'));
    queueMicrotask(() => done.push('microtask'));
    setImmediate(() => done.push('immediate'));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(done).toEqual(['microtask', 'first', 'second', 'third', 'immediate', 'in the next turn']);
  });

  it('is done also behind something that throws', async () => {
    const done: string[] = [];
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    waitForTurnsEnd(work(done, 'before'));
    waitForTurnsEnd({
      atTurnsEnd: () => {
        throw new Error('mine');
      },
    });
    waitForTurnsEnd(work(done, 'behind'));
    await thrown;
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual(['before', 'behind']);
  });

  it('keeps its order behind something that throws', async () => {
    const done: string[] = [];
    const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
    waitForTurnsEnd({
      atTurnsEnd: () => waitForTurnsEnd({ atTurnsEnd: () => void done.push('asked for last') }),
    });
    waitForTurnsEnd({
      atTurnsEnd: () => {
        throw new Error('mine');
      },
    });
    waitForTurnsEnd({ atTurnsEnd: () => void done.push('asked for first') });
    await uncaught;
    await until(() => done.length === 2);
    expect(done).toEqual(['asked for first', 'asked for last']);
  });
});
