import { handClock } from '@nexus/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RetryBudget } from '../../src/upstream/retry-budget.ts';

describe('The budget of retries', () => {
  it('never gives more than ten, a tenth of the requests and two a second', () => {
    const step = fc.oneof(
      fc.record({ requests: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ retries: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ ms: fc.integer({ min: 0, max: 2_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const clock = handClock(0);
        const budget = new RetryBudget(clock.now);
        let [requests, taken] = [0, 0];
        for (const one of steps) {
          if ('ms' in one) clock.advance(one.ms);
          else if ('requests' in one) {
            requests += one.requests;
            for (let i = 0; i < one.requests; i++) budget.earn();
          } else for (let i = 0; i < one.retries; i++) if (budget.take()) taken += 1;
        }
        expect(taken).toBeLessThanOrEqual(10 + requests / 10 + (2 * clock.now()) / 1_000 + 1e-6);
      }),
    );
  });

  it('gives a quiet upstream two a second', () => {
    const clock = handClock(0);
    const budget = new RetryBudget(clock.now);
    for (let i = 0; i < 10; i++) expect(budget.take()).toBe(true);
    expect(budget.take()).toBe(false);
    clock.advance(1_000);
    expect([budget.take(), budget.take(), budget.take()]).toEqual([true, true, false]);
  });
});
