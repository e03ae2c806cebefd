import type { BucketView } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import {
  calendar,
  DAY_MS,
  demand,
  MINUTE_MS,
  owner,
  rate,
  SECOND_MS,
  START_MS,
  slots,
} from './limit-shapes.ts';
import { LEASE_MS, type MakeLimiter, SLICE_MS } from './limiter-harness.ts';
import { numbersIn } from './limiter-sequence.ts';

const used = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens });

/** Leases, calendar windows, debts and changes, as time goes on. */
export function endsWhatItHolds(name: string, make: MakeLimiter): void {
  describe(`${name} as time goes on`, () => {
    const sized = (...limits: Parameters<typeof owner>[1][]) => [owner('key:a', ...limits)];

    it('lets a hold end by itself after its lease, and only charges what a late settlement used', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(slots(1), rate('model_tokens', 600, MINUTE_MS));
      const dead = await limiter.admit({ requestId: 'dead', owners, demand: demand(1, 100, 400) });
      setNow(START_MS + LEASE_MS - 1);
      expect((await limiter.admit({ requestId: '2', owners, demand: demand(1) })).admitted).toBe(false);
      setNow(START_MS + LEASE_MS + SLICE_MS);
      expect(limiter.state().reservations).toBe(0);
      const next = await limiter.admit({ requestId: '3', owners, demand: demand(1, 600) });
      expect(next.admitted).toBe(true);
      if (dead.admitted) await limiter.settle(dead.reservation, used(100, 20));
      expect((await limiter.peek(owners)).map(({ available }) => available)).toEqual([0, -120]);
    });

    it('counts at least so much of a window as used as is on record, and gives nothing back', async () => {
      const { limiter, setNow } = await make(START_MS);
      const limits = owner('key:a', calendar('model_tokens', 1_000), rate('model_tokens', 600, MINUTE_MS));
      const available = async () => (await limiter.peek([limits])).map((view) => view.available);
      await limiter.restore([{ limits, units: [0, 500] }]);
      expect(await available()).toEqual([1_000, 600]);
      await limiter.restore([
        { limits, units: [700, 0] },
        { limits: owner('key:b', calendar('requests', 5)), units: [9] },
      ]);
      expect(await available()).toEqual([300, 600]);
      const denied = await limiter.admit({ requestId: '1', owners: [limits], demand: demand(1, 301) });
      expect(denied.admitted).toBe(false);
      const held = await limiter.admit({ requestId: '2', owners: [limits], demand: demand(1, 100) });
      if (held.admitted) await limiter.settle(held.reservation, used(100));
      for (const units of [
        [750, 0],
        [0, 0],
        [Number.NaN, 0],
        [-5, 0],
      ])
        await limiter.restore([{ limits, units }]);
      expect((await available())[0]).toBe(200);
      setNow(START_MS + DAY_MS);
      expect(await available()).toEqual([1_000, 600]);
    });

    it('charges a settlement that comes after everything else about its request was forgotten', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(rate('model_tokens', 600, MINUTE_MS));
      const slow = await limiter.admit({ requestId: 'slow', owners, demand: demand(1, 100) });
      for (let minute = 1; minute < 20; minute += 1) {
        setNow(START_MS + minute * MINUTE_MS);
        await limiter.admit({
          requestId: `${minute}`,
          owners: [owner('key:b', slots(99))],
          demand: demand(1),
        });
      }
      if (slow.admitted) await limiter.settle(slow.reservation, used(100, 50));
      if (slow.admitted) await limiter.settle(slow.reservation, used(100, 50));
      expect((await limiter.peek(owners))[0]?.available).toBe(450);
    });

    it('keeps a hold that is renewed in time, and does not revive one that ran out', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(slots(1));
      const live = await limiter.admit({ requestId: 'live', owners, demand: demand(1) });
      if (!live.admitted) return;
      for (let ms = 20_000; ms <= 300_000; ms += 20_000) {
        setNow(START_MS + ms);
        await limiter.renew([live.reservation]);
      }
      expect((await limiter.peek(owners))[0]?.available).toBe(0);
      setNow(START_MS + 300_000 + LEASE_MS + SLICE_MS);
      expect((await limiter.admit({ requestId: '2', owners, demand: demand(1) })).admitted).toBe(true);
      await limiter.renew([live.reservation]);
      expect((await limiter.peek(owners))[0]?.available).toBe(0);
      await limiter.settle(live.reservation, used(0));
      expect((await limiter.peek(owners))[0]?.available).toBe(0);
    });

    it('carries a hold into the next calendar window and charges it where it settles', async () => {
      const { limiter, setNow } = await make(START_MS + DAY_MS - 1_000);
      const owners = sized(calendar('model_tokens', 100));
      const over = await limiter.admit({ requestId: '1', owners, demand: demand(1, 60) });
      setNow(START_MS + DAY_MS);
      expect((await limiter.peek(owners))[0]?.available).toBe(40);
      if (over.admitted) await limiter.settle(over.reservation, used(70));
      expect((await limiter.peek(owners))[0]?.available).toBe(30);
    });

    it('never goes back to a calendar window when the clock does', async () => {
      const { limiter, setNow } = await make(START_MS + DAY_MS);
      const owners = sized(calendar('requests', 1));
      await limiter.admit({ requestId: '1', owners, demand: demand(1) });
      setNow(START_MS + DAY_MS - 1_000);
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1) });
      expect(denied).toMatchObject({ admitted: false, retryAfterMs: DAY_MS + 1_000 });
      setNow(START_MS + 2 * DAY_MS);
      expect((await limiter.admit({ requestId: '3', owners, demand: demand(1) })).admitted).toBe(true);
    });

    it('takes what was used above the reservation as debt that refills', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(rate('model_tokens', 100, SECOND_MS));
      const long = await limiter.admit({ requestId: '1', owners, demand: demand(1, 10, 10) });
      if (long.admitted) await limiter.settle(long.reservation, used(10, 290));
      expect((await limiter.peek(owners))[0]).toMatchObject({ available: -200, untilFullMs: 3_000 });
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1, 1) });
      expect(denied).toMatchObject({ retryAfterMs: 2_010, refusal: { used: 300, requested: 1, size: 100 } });
      setNow(START_MS + 2_010);
      expect((await limiter.admit({ requestId: '3', owners, demand: demand(1, 1) })).admitted).toBe(true);
    });

    it('keeps exact integers whatever an upstream says was used', async () => {
      for (const tokens of [Number.NaN, -5, 0.5, 1e300, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER]) {
        const { limiter, dump } = await make(START_MS);
        const owners = sized(rate('model_tokens', 150_000_000, MINUTE_MS), calendar('model_tokens', 1_000));
        for (let index = 0; index < 3; index += 1) {
          const decision = await limiter.admit({ requestId: `${index}`, owners, demand: demand(1) });
          if (decision.admitted) await limiter.settle(decision.reservation, used(tokens, tokens));
        }
        for (const number of numbersIn(await dump())) expect(Number.isSafeInteger(number)).toBe(true);
      }
    });

    it('rejects a demand that would fill buckets', async () => {
      const { limiter } = await make(START_MS);
      for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
        await expect(limiter.admit({ requestId: 'x', owners: [], demand: demand(1, bad) })).rejects.toThrow(
          RangeError,
        );
    });

    it('neither refills nor resets a bucket when its limit changes, and never holds more than the smaller burst', async () => {
      const { limiter } = await make(START_MS);
      const with_ = (amount: number) =>
        sized({ ...rate('requests', amount, MINUTE_MS), name: 'requests_per_minute' });
      for (let index = 0; index < 8; index += 1)
        await limiter.admit({ requestId: `${index}`, owners: with_(10), demand: demand(1) });
      expect(
        (await limiter.admit({ requestId: 'a', owners: with_(100), demand: demand(1) })).buckets[0]
          ?.available,
      ).toBe(1);
      expect(
        (await limiter.admit({ requestId: 'b', owners: with_(1), demand: demand(1) })).buckets[0]?.available,
      ).toBe(0);
      expect((await limiter.admit({ requestId: 'c', owners: with_(100), demand: demand(1) })).admitted).toBe(
        false,
      );
    });

    it('gives every bucket with its size after an admission', async () => {
      const { limiter } = await make(START_MS);
      const owners = sized(
        rate('requests', 5_000, MINUTE_MS),
        rate('model_tokens', 160_000, MINUTE_MS),
        slots(4),
      );
      const decision = await limiter.admit({ requestId: '1', owners, demand: demand(1, 24) });
      const view = ({ size, available, untilFullMs }: BucketView) => [size, available, untilFullMs];
      expect(decision.buckets.map(view)).toEqual([
        [5_000, 4_999, 12],
        [160_000, 159_976, 9],
        [4, 3, 0],
      ]);
    });

    it('rejects once it is closed', async () => {
      const { limiter } = await make(START_MS);
      const reservation = { requestId: 'x', demand: demand(1) };
      await limiter.close();
      await limiter.close();
      await expect(limiter.admit({ requestId: 'x', owners: [], demand: demand(1) })).rejects.toThrow(
        'closed',
      );
      await expect(limiter.settle(reservation, used(1))).rejects.toThrow('closed');
      await expect(limiter.cancel(reservation)).rejects.toThrow('closed');
      await expect(limiter.renew([])).rejects.toThrow('closed');
      await expect(limiter.peek([])).rejects.toThrow('closed');
    });
  });
}
