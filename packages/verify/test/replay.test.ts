import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replay } from '../src/judge/replay.ts';

const second = { amount: 10, periodMs: 1_000, burst: 2, available: 2 };

describe('a replay of calls through exact buckets', () => {
  it('lets a burst through, and then what comes back', () => {
    expect(replay([0, 0, 0, 0], [second], 0)).toBe(2);
    expect(replay([0, 0, 0, 99, 100, 101, 300], [second], 0)).toBe(4);
  });

  it('begins with what was available, and refills from then on', () => {
    expect(replay([0, 0], [{ ...second, available: 0 }], 0)).toBe(0);
    expect(replay([0, 0], [{ ...second, available: 0 }], -100)).toBe(1);
  });

  it('takes from all buckets or from none', () => {
    const hour = { amount: 3, periodMs: 3_600_000, burst: 3, available: 3 };
    expect(replay([0, 0, 0, 200, 200, 400, 400], [second, hour], 0)).toBe(3);
  });

  it('can let less through of calls that come seldom than the bound allows', () => {
    const one = { amount: 10, periodMs: 1_000, burst: 1, available: 1 };
    const seldom = Array.from({ length: 20 }, (_, i) => i * 150);
    expect(replay(seldom, [one], 0)).toBe(20);
    expect(replay([...seldom, ...seldom], [one], 0)).toBe(20);
  });

  it('never lets more through than burst and refill, and all but one of it under a flood', () => {
    const buckets = fc.record({
      amount: fc.integer({ min: 1, max: 500 }),
      periodMs: fc.constant(1_000),
      burst: fc.integer({ min: 2, max: 50 }),
    });
    fc.assert(
      fc.property(buckets, (bucket) => {
        const lengthMs = 1_000;
        // One call each millisecond and a burst at the start.
        const flood = Array.from({ length: lengthMs + 1 + bucket.burst }, (_, i) =>
          Math.max(0, i - bucket.burst),
        );
        const through = replay(flood, [{ ...bucket, available: bucket.burst }], 0);
        const most = bucket.burst + (bucket.amount * lengthMs) / bucket.periodMs;
        expect(through).toBeLessThanOrEqual(most);
        expect(through).toBeGreaterThanOrEqual(Math.floor(most) - 1);
      }),
    );
  });
});
