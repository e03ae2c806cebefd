import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HeldSlot, mostAtOnce } from '../src/judge/held-at-once.ts';

const slot = (fromMs: number, toMs: number): HeldSlot => ({ fromMs, toMs });

describe('slots held at once', () => {
  it('are those whose times overlap, and the first time of the most is told', () => {
    expect(mostAtOnce([slot(0, 10), slot(5, 20), slot(8, 9), slot(15, 30)])).toEqual({
      slots: 3,
      fromMs: 8,
      toMs: 9,
    });
  });

  it('may follow each other without a gap', () => {
    expect(mostAtOnce([slot(0, 10), slot(10, 20), slot(20, 30)]).slots).toBe(1);
  });

  it('count nothing that was over before it certainly began', () => {
    expect(mostAtOnce([slot(10, 10), slot(10, 4)])).toEqual({ slots: 0, fromMs: 0, toMs: 0 });
  });

  it('are as many as at the worst beginning, looked at one by one', () => {
    const slots = fc.array(
      fc.record({ fromMs: fc.integer({ min: 0, max: 50 }), toMs: fc.integer({ min: 0, max: 60 }) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(slots, (held) => {
        const at = (ms: number) => held.filter(({ fromMs, toMs }) => fromMs <= ms && ms < toMs).length;
        const most = mostAtOnce(held);
        expect(most.slots).toBe(Math.max(0, ...held.map(({ fromMs }) => at(fromMs))));
        if (most.slots > 0) expect(at(most.fromMs)).toBe(most.slots);
      }),
    );
  });
});
