import type { BucketLimit, BucketView, Decision, OnRedisFailure, OwnerLimits } from '@nexus/domain';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LastSeen } from '../../src/insured/last-seen.ts';
import type { OnRedisFailureByClass } from '../../src/insured/on-redis-failure.ts';
import { StandIn } from '../../src/insured/stand-in.ts';
import { sizeOf } from '../../src/limit-problem.ts';
import {
  calendar,
  DAY_MS,
  demand,
  HOUR_MS,
  MINUTE_MS,
  owner,
  rate,
  START_MS,
  slots,
} from '../limit-shapes.ts';

const LOCAL: OnRedisFailureByClass = { rates: 'local', budgets: 'local' };

/** Stand-ins of `count` instances that saw the same, by one clock. */
function standIns(words: OnRedisFailureByClass, count = 1, seen = new LastSeen()) {
  const clock = { nowMs: START_MS };
  const all = Array.from({ length: count }, (_, place) => {
    const standIn = new StandIn({
      words,
      share: { count, place },
      seen,
      leaseMs: 60_000,
      nowMs: () => clock.nowMs,
    });
    onTestFinished(() => standIn.close());
    return standIn;
  });
  return { all, clock, seen };
}

function one(words: OnRedisFailureByClass) {
  const { all, ...rest } = standIns(words);
  const [standIn] = all;
  if (!standIn) throw new Error('There is none');
  return { standIn, ...rest };
}

/** As a decision would have shown the owner's buckets. */
function views(limits: OwnerLimits, ...available: number[]): BucketView[] {
  return limits.buckets.map((limit, index) => ({
    owner: limits.owner,
    limit,
    size: sizeOf(limit),
    available: available[index] ?? sizeOf(limit),
    untilFullMs: 0,
  }));
}

let asked = 0;
const ask = (standIn: StandIn, owners: readonly OwnerLimits[], tokens = 0): Promise<Decision> =>
  standIn.admit({ requestId: `r${asked++}`, owners, demand: demand(1, tokens) }, new Error('away'));

async function use(standIn: StandIn, owners: readonly OwnerLimits[], tokens = 0): Promise<boolean> {
  const decision = await ask(standIn, owners, tokens);
  if (decision.admitted) await standIn.settle(decision.reservation, { inputTokens: tokens, outputTokens: 0 });
  return decision.admitted;
}

const withWord = <L extends BucketLimit>(limit: L, onRedisFailure: OnRedisFailure): L => ({
  ...limit,
  onRedisFailure,
});
const REFUSES = { code: 'limiter_unavailable' };
const perHour = rate('requests', 5, HOUR_MS);
const perDay = calendar('model_tokens', 1_000);

describe('without Redis, each class of limits by its word:', () => {
  it('a closed limit rejects every request that it would bind, and no other', async () => {
    const { standIn, seen } = one({ rates: 'local', budgets: 'closed' });
    const [plain, budgeted] = [owner('key:a', perHour), owner('team:t', perDay)];
    seen.learn([plain, budgeted], [...views(plain), ...views(budgeted)], START_MS);
    expect((await ask(standIn, [plain], 10)).admitted).toBe(true);
    await expect(ask(standIn, [plain, budgeted], 10)).rejects.toMatchObject(REFUSES);
    expect(await standIn.peek([plain])).toMatchObject([{ available: 4 }]);
  });

  it('an open limit refuses nothing, shows what is left, and counts below it', async () => {
    const { standIn, seen } = one({ rates: 'local', budgets: 'open' });
    const limits = owner('key:a', perDay, rate('requests', 100, HOUR_MS));
    seen.learn([limits], views(limits, 30, 100), START_MS);
    expect(await use(standIn, [limits], 20)).toBe(true);
    expect(await use(standIn, [limits], 5_000)).toBe(true);
    expect(await standIn.peek([limits])).toMatchObject([
      { limit: perDay, size: 1_000, available: 30 - 5_020 },
      { size: 100, available: 98 },
    ]);
    expect((await standIn.takeUsed()).map(({ units }) => units)).toEqual([[5_020, 2]]);
  });

  it('a single limit has its own word', async () => {
    const { standIn } = one({ rates: 'closed', budgets: 'closed' });
    const [free, bound] = [withWord(perHour, 'open'), withWord(slots(2), 'local')];
    const limits = owner('key:a', free, bound);
    for (let count = 0; count < 8; count += 1) expect(await use(standIn, [limits])).toBe(true);
    for (let count = 0; count < 2; count += 1) expect((await ask(standIn, [limits])).admitted).toBe(true);
    const denied = await ask(standIn, [limits]);
    expect(denied).toMatchObject({ admitted: false, refusal: { limit: bound } });
    expect(denied.buckets).toMatchObject([{ limit: free, size: 5, available: -5 }, { available: 0 }]);
  });

  it('a limit of 0 refuses even where it is open', async () => {
    const { standIn } = one({ rates: 'open', budgets: 'open' });
    for (const limit of [rate('requests', 0, MINUTE_MS), slots(0), calendar('requests', 0)])
      expect(await ask(standIn, [owner('key:a', limit)])).toMatchObject({
        admitted: false,
        retryAfterMs: 'never',
      });
  });

  it('nothing is taken anywhere when a local limit refuses', async () => {
    const { standIn } = one({ rates: 'local', budgets: 'open' });
    const limits = owner('key:a', rate('requests', 1, HOUR_MS), calendar('requests', 10));
    expect((await ask(standIn, [limits])).admitted).toBe(true);
    expect((await ask(standIn, [limits])).admitted).toBe(false);
    expect(await standIn.peek([limits])).toMatchObject([{ available: 0 }, { available: 9 }]);
  });
});

describe('without Redis, what a request is said to have used', () => {
  it('counts as nothing where it is nonsense', async () => {
    const { standIn, seen } = one(LOCAL);
    const limits = owner('key:a', perDay, rate('output_tokens', 1, HOUR_MS, 500));
    seen.learn([limits], views(limits), START_MS);
    const uses: [number, number][] = [
      [Number.NaN, 20],
      [-5, 10.5],
      [Number.NEGATIVE_INFINITY, -1],
    ];
    for (const [inputTokens, outputTokens] of uses) {
      const decision = await ask(standIn, [limits]);
      if (decision.admitted) await standIn.settle(decision.reservation, { inputTokens, outputTokens });
    }
    expect((await standIn.takeUsed()).map(({ units }) => units)).toEqual([[31, 31]]);
  });
});

describe('without Redis, a local window of the calendar', () => {
  it('has nothing where nobody has seen it, which is no refusal by the limit', async () => {
    const { standIn } = one(LOCAL);
    const limits = owner('key:a', perDay, perHour);
    await expect(ask(standIn, [limits], 1)).rejects.toMatchObject(REFUSES);
    expect((await ask(standIn, [limits], 0)).admitted).toBe(true);
  });

  it('has its part of what was last seen, and beyond that neither yes nor no', async () => {
    const { all, seen } = standIns(LOCAL, 4);
    const limits = owner('key:a', perDay);
    seen.learn([limits], views(limits, 401), START_MS);
    for (const standIn of all) {
      expect(await use(standIn, [limits], 60)).toBe(true);
      expect(await use(standIn, [limits], 40)).toBe(true);
      await expect(ask(standIn, [limits], 1)).rejects.toMatchObject(REFUSES);
    }
  });

  it('refuses what is more than all that was left', async () => {
    const { all, seen } = standIns(LOCAL, 4);
    const [standIn] = all;
    const limits = owner('key:a', perDay);
    seen.learn([limits], views(limits, 40), START_MS);
    if (!standIn) return;
    expect(await use(standIn, [limits], 8)).toBe(true);
    await expect(ask(standIn, [limits], 32)).rejects.toMatchObject(REFUSES);
    expect(await ask(standIn, [limits], 33)).toMatchObject({
      admitted: false,
      refusal: { limit: perDay, used: 968, requested: 33, size: 1_000 },
      retryAfterMs: DAY_MS,
    });
    expect(await ask(standIn, [limits], 1_001)).toMatchObject({ admitted: false, retryAfterMs: 'never' });
  });

  it('has nothing in a window that has begun since', async () => {
    const { standIn, seen, clock } = one(LOCAL);
    const limits = owner('key:a', perDay);
    clock.nowMs = START_MS + DAY_MS - 1;
    seen.learn([limits], views(limits), clock.nowMs);
    expect(await use(standIn, [limits], 10)).toBe(true);
    clock.nowMs += 1;
    await expect(ask(standIn, [limits], 1)).rejects.toMatchObject(REFUSES);
    // What was used belongs to a window that is over.
    expect((await standIn.takeUsed()).map(({ units }) => units)).toEqual([[0]]);
  });
});

describe('without Redis, all instances together', () => {
  const aLimit = fc.oneof(
    fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 })),
    fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 10 })),
  );
  const steps = fc.array(
    fc.record({ who: fc.nat(7), tokens: fc.nat(120), ms: fc.oneof(fc.constant(0), fc.nat(700)) }),
    { minLength: 30, maxLength: 120, size: 'max' },
  );

  it('let through no more than the limit has, for any number of them and whatever was seen', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        aLimit,
        fc.nat(400),
        fc.integer({ min: -20, max: 400 }),
        steps,
        async (count, [perSecond, burst], budget, left, asks) => {
          const { all, seen, clock } = standIns(LOCAL, count);
          const limits = owner('key:a', rate('requests', perSecond, 1_000, burst), {
            ...perDay,
            amount: budget,
          });
          const begun = Math.min(left, budget);
          seen.learn([limits], views(limits, burst, begun), START_MS);
          const times: number[] = [];
          let tokensUsed = 0;
          for (const { who, tokens, ms } of asks) {
            clock.nowMs += ms;
            const standIn = all[who % count];
            const isAdmitted = await (standIn && use(standIn, [limits], tokens))?.catch(() => false);
            if (!isAdmitted) continue;
            times.push(clock.nowMs);
            tokensUsed += tokens;
          }
          expect(tokensUsed).toBeLessThanOrEqual(Math.max(0, begun));
          for (const [first, from] of times.entries())
            for (const [last, until] of times.entries())
              if (last >= first)
                expect((last - first + 1 - burst) * 1_000).toBeLessThanOrEqual(perSecond * (until - from));
        },
      ),
      { numRuns: 150 },
    );
  });
});
