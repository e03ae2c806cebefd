import { describe, expect, it } from 'vitest';
import { EventLoopDelay } from '../../src/metrics/event-loop-delay.ts';

/** Looks at these times (ms), and tells what was seen: how often, and the sum of the delays in ms. */
function delays(...looksMs: readonly number[]): { readonly count: number; readonly sumMs: number } {
  let now = 0;
  const delay = new EventLoopDelay(() => now);
  delay.stop();
  for (const lookMs of looksMs) {
    now = lookMs;
    delay.look();
  }
  const count = delay.tally.counts.reduce((sum, some) => sum + some, 0);
  return { count, sumMs: Math.round(delay.tally.sum * 1_000_000) / 1_000 };
}

describe("The event loop's delay", () => {
  it('is nothing while each look comes when it is due, or a little before', () => {
    expect(delays(20, 39.5, 59.5)).toEqual({ count: 3, sumMs: 0 });
  });

  it('counts a standstill with every look that it swallowed', () => {
    // Due at 20, looked at 85: the looks due at 20, 40, 60 and 80 were 65, 45, 25 and 5 ms late.
    expect(delays(85)).toEqual({ count: 4, sumMs: 140 });
    expect(delays(85, 105)).toEqual({ count: 5, sumMs: 140 });
  });

  it('counts a machine that slept for a day as ten seconds', () => {
    expect(delays(86_400_000).count).toBe(501);
  });
});
