import { describe, expect, it } from 'vitest';
import { RequestEndedError } from '../src/index.ts';
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
import { LEASE_MS, type MakeLimiter } from './limiter-harness.ts';

const used = (inputTokens: number, outputTokens = 0) => ({ inputTokens, outputTokens });

/** One decision at a time, at one instant. */
export function decides(name: string, make: MakeLimiter): void {
  describe(`${name} for one request`, () => {
    const sized = (...limits: Parameters<typeof owner>[1][]) => [owner('key:a', ...limits)];

    it('takes from all owners or from none', async () => {
      const { limiter, dump } = await make(START_MS);
      const owners = [owner('key:a', rate('requests', 5, MINUTE_MS)), owner('gateway', slots(1))];
      expect((await limiter.admit({ requestId: '1', owners, demand: demand(1) })).admitted).toBe(true);
      const before = await dump();
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1) });
      expect(denied).toMatchObject({
        admitted: false,
        retryAfterMs: 1_000,
        refusal: { owner: 'gateway', used: 1, requested: 1, size: 1 },
      });
      expect(await dump()).toEqual(before);
    });

    it('charges an owner named twice once', async () => {
      const { limiter } = await make(START_MS);
      const key = owner('key:a', rate('requests', 5, MINUTE_MS));
      await limiter.admit({ requestId: '1', owners: [key, key], demand: demand(1) });
      expect((await limiter.peek([key]))[0]?.available).toBe(4);
    });

    it('names the refusal that must wait longest', async () => {
      const { limiter } = await make(START_MS);
      const owners = sized(
        rate('requests', 1, SECOND_MS),
        calendar('model_tokens', 10),
        rate('model_tokens', 60, MINUTE_MS),
      );
      await limiter.admit({ requestId: '1', owners, demand: demand(1, 10) });
      const denied = await limiter.admit({ requestId: '2', owners, demand: demand(1, 10) });
      expect(denied).toMatchObject({
        retryAfterMs: DAY_MS,
        refusal: { limit: { kind: 'calendar' }, used: 10, requested: 10, size: 10 },
      });
      const tooLarge = await limiter.admit({ requestId: '3', owners, demand: demand(1, 61) });
      expect(tooLarge).toMatchObject({ retryAfterMs: 'never', refusal: { requested: 61 } });
    });

    it('refuses everything that a limit of 0 counts, for ever, and nothing else', async () => {
      for (const none of [
        rate('model_tokens', 0, SECOND_MS),
        { ...rate('model_tokens', 0, SECOND_MS), burst: 50 },
        calendar('model_tokens', 0),
      ]) {
        const { limiter } = await make(START_MS);
        const denied = await limiter.admit({ requestId: '1', owners: sized(none), demand: demand(1, 1) });
        expect(denied).toMatchObject({
          admitted: false,
          retryAfterMs: 'never',
          refusal: { size: 0, used: 0 },
        });
        expect(
          (await limiter.admit({ requestId: '2', owners: sized(none), demand: demand(1) })).admitted,
        ).toBe(true);
      }
      const { limiter } = await make(START_MS);
      expect(
        await limiter.admit({ requestId: '1', owners: sized(slots(0)), demand: demand(1) }),
      ).toMatchObject({ retryAfterMs: 'never' });
    });

    it('takes nothing for an admission that comes after its own cancel', async () => {
      const { limiter } = await make(START_MS);
      const owners = sized(rate('requests', 5, MINUTE_MS));
      await limiter.cancel({ requestId: 'late', demand: demand(1) });
      await expect(limiter.admit({ requestId: 'late', owners, demand: demand(1) })).rejects.toBeInstanceOf(
        RequestEndedError,
      );
      expect((await limiter.peek(owners))[0]?.available).toBe(5);
    });

    it('remembers an ended request for a lease at least', async () => {
      const { limiter, setNow } = await make(START_MS);
      const owners = sized(rate('requests', 5, MINUTE_MS));
      const first = await limiter.admit({ requestId: '1', owners, demand: demand(1) });
      if (first.admitted) await limiter.settle(first.reservation, used(0));
      setNow(START_MS + LEASE_MS - 1);
      await limiter.cancel({ requestId: 'other', demand: demand(1) });
      await expect(limiter.admit({ requestId: '1', owners, demand: demand(1) })).rejects.toBeInstanceOf(
        RequestEndedError,
      );
    });
  });
}
