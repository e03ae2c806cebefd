import { describe, expect, it } from 'vitest';
import { admitted, askFor, sized, starts } from './asked-requests.ts';
import { demand, MINUTE_MS, owner, rate, SECOND_MS, START_MS, slots } from './limit-shapes.ts';
import { LEASE_MS, type MakeLimiter, SLICE_MS } from './limiter-harness.ts';

/** What becomes of a request that waits, or has waited, when it ends. */
export function endsWhatWaits(name: string, make: MakeLimiter): void {
  describe(`${name} when a request that may wait ends`, () => {
    it('gives back a place in the queue to those who come, once, and puts nobody off', async () => {
      const harness = await make(START_MS);
      const { limiter } = harness;
      const owners = sized(rate('requests', 10, SECOND_MS, 1), slots(9));
      const decisions = await askFor(harness, owners, 4, 1_000);
      expect(starts(decisions)).toEqual([0, 100, 200, 300]);
      const before = await limiter.peek(owners);
      const [extra] = await askFor(harness, owners, 1, 1_000, 'extra');
      await limiter.cancel(admitted(extra).reservation);
      await limiter.cancel(admitted(extra).reservation);
      expect(await limiter.peek(owners)).toEqual(before);
      await limiter.cancel(admitted(decisions[2]).reservation);
      await limiter.cancel(admitted(decisions[2]).reservation);
      expect(starts(await askFor(harness, owners, 3, 1_000, 'next'))).toEqual([200, 400, 500]);
      harness.setNow(START_MS + 10_000);
      await limiter.cancel(admitted(decisions[3]).reservation);
      expect((await limiter.peek(owners))[0]?.available).toBe(1);
    });

    it('gives back what was charged to a request that has begun, also where the bucket was full before', async () => {
      const harness = await make(START_MS);
      const { limiter, setNow } = harness;
      const wide = owner('gateway', rate('requests', 1, SECOND_MS, 2));
      const owners = [owner('key:a', rate('requests', 1, 10 * SECOND_MS, 1)), wide];
      const [, waits] = await askFor(harness, owners, 2, 10_000);
      expect(admitted(waits).startsInMs).toBe(10_000);
      setNow(START_MS + 5_000);
      await askFor(harness, [wide], 1, 0, 'b');
      setNow(START_MS + 10_010);
      expect((await limiter.peek([wide]))[0]?.available).toBe(1);
      await limiter.cancel(admitted(waits).reservation);
      expect((await limiter.peek([wide]))[0]).toMatchObject({ available: 2, untilFullMs: 0 });
    });

    it('gives back no more than if a request had never waited, though limits changed meanwhile', async () => {
      const harness = await make(START_MS);
      const { limiter, setNow } = harness;
      const wide = (amount: number) =>
        owner('gateway', { ...rate('requests', amount, SECOND_MS, 2), name: 'requests_per_second' });
      const keys = [1_000, 1_500].map((ms) => owner(`key:${ms}`, rate('requests', 1, ms, 1)));
      for (const [index, key] of keys.entries()) await askFor(harness, [key], 1, 0, `full ${index}`);
      const [first] = await askFor(harness, [keys[0] ?? wide(10), wide(10)], 1, 9_000, 'first');
      const [second] = await askFor(harness, [keys[1] ?? wide(1), wide(1)], 1, 9_000, 'second');
      expect(starts([...(first ? [first] : []), ...(second ? [second] : [])])).toEqual([1_000, 1_500]);
      setNow(START_MS + 500);
      await limiter.cancel(admitted(first).reservation);
      setNow(START_MS + 1_600);
      expect(starts(await askFor(harness, [wide(1)], 1, 0, 'third'))).toEqual([0]);
      setNow(START_MS + 2_000);
      await limiter.cancel(admitted(second).reservation);
      // Full at 1,600 without the second, less the third, and 400 ms of refill: 600 ms are missing.
      expect((await limiter.peek([wide(1)]))[0]?.untilFullMs).toBeGreaterThanOrEqual(600);
    });

    it('tells a request that asks again how long it still has to wait', async () => {
      const harness = await make(START_MS);
      const owners = sized(rate('requests', 10, SECOND_MS, 1));
      await askFor(harness, owners, 3, 1_000);
      harness.setNow(START_MS + 70);
      expect(starts(await askFor(harness, owners, 3, 1_000))).toEqual([0, 30, 130]);
      harness.setNow(START_MS + 200);
      expect(starts(await askFor(harness, owners, 3, 0))).toEqual([0, 0, 0]);
    });

    it('counts a request whose gateway died as begun, and lets go of what it held', async () => {
      const harness = await make(START_MS);
      const { limiter, setNow } = harness;
      const owners = sized(rate('requests', 1, SECOND_MS, 1), slots(2), rate('model_tokens', 60, MINUTE_MS));
      const ask = (requestId: string) =>
        limiter.admit({ requestId, owners, demand: demand(1, 20), maxWaitMs: 5_000 });
      expect(starts([await ask('1'), await ask('dead')])).toEqual([0, 1_000]);
      setNow(START_MS + 1_000);
      expect((await limiter.peek(owners)).map(({ available }) => available)).toEqual([0, 0, 20]);
      setNow(START_MS + LEASE_MS + SLICE_MS);
      expect((await limiter.peek(owners)).map(({ available }) => available)).toEqual([1, 2, 60]);
    });
  });
}
