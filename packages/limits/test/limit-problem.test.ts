import { describe, expect, it } from 'vitest';
import { limitProblem } from '../src/index.ts';
import { calendar, DAY_MS, HOUR_MS, MINUTE_MS, rate, SECOND_MS, slots } from './limit-shapes.ts';

describe('the problem with a limit', () => {
  it('is none where every number stays exact', () => {
    for (const limit of [
      rate('model_tokens', 150_000_000, MINUTE_MS),
      rate('requests', 1, 30 * DAY_MS),
      rate('requests', 0, SECOND_MS),
      rate('requests', 75_059_993_789, MINUTE_MS),
      calendar('model_tokens', 1e12, 'month', 'Asia/Kathmandu'),
      slots(0),
      { kind: 'size', name: 'max_request_tokens', amount: 5 } as const,
    ])
      expect(limitProblem(limit)).toBeUndefined();
  });

  it('says what is wrong and what would be right', () => {
    expect(limitProblem(rate('requests', 75_059_993_790, MINUTE_MS))).toContain('the most is 75,059,993,789');
    expect(limitProblem(rate('requests', 1, HOUR_MS, 0))).toContain('must be 1 or more');
    expect(limitProblem(calendar('requests', 1, 'day', 'Berlin'))).toContain('"Berlin"');
    expect(limitProblem(rate('requests', 1, 0))).toContain('period');
    for (const amount of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e99, 2 ** 52]) {
      expect(limitProblem(rate('requests', amount, SECOND_MS, 5))).toBeDefined();
      expect(limitProblem(rate('requests', 5, SECOND_MS, amount))).toBeDefined();
      expect(limitProblem(calendar('requests', amount))).toBeDefined();
      expect(limitProblem(slots(amount))).toBeDefined();
      expect(limitProblem({ kind: 'size', name: 'max_output_tokens', amount })).toBeDefined();
    }
  });
});
