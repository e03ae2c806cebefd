import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { RedisLimiter } from '../../src/index.ts';
import { demand, owner, rate, SECOND_MS, START_MS, slots } from '../limit-shapes.ts';
import { sharedConnections } from './redis-harness.ts';

const redis = noRedis ? undefined : await startRedis();
const shared = redis ? await sharedConnections(redis.url) : undefined;

afterAll(async () => {
  shared?.close();
  redis?.client.disconnect();
  await redis?.process.stop();
});

describe.skipIf(noRedis)('a denial that is repeated without asking Redis', () => {
  it('is what Redis would say, whatever other instances settle or cancel meanwhile', async () => {
    if (!redis || !shared) return;
    const { client } = redis;
    const calls = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
    const limits = fc.constantFrom(
      [rate('requests', 7, SECOND_MS, 3)],
      [rate('model_tokens', 97, SECOND_MS, 131)],
      [rate('requests', 13, SECOND_MS, 5), rate('model_tokens', 300, SECOND_MS), slots(4)],
    );
    const step = fc.record({
      tokens: fc.nat(150),
      used: fc.nat(200),
      maxWaitMs: fc.constantFrom(0, 0, 0, 90, 300, 3_000),
      ends: fc.constantFrom('settle', 'cancel', 'open', 'settle'),
      ms: fc.oneof(fc.constant(0), fc.nat(40), fc.nat(400)),
      /** Who asks: the one that repeats, or another. */
      other: fc.boolean(),
      which: fc.nat(100),
    });
    let run = 0;
    let repeated = 0;
    await fc.assert(
      fc.asyncProperty(
        limits,
        fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }),
        async (buckets, steps) => {
          let clockMs = START_MS;
          const options = {
            connections: { ...shared, close() {} },
            keyPrefix: `denial-${run++}`,
            handClock: () => clockMs,
          };
          const repeats = new RedisLimiter(options);
          const asks = new RedisLimiter({ ...options, repeatDenials: false });
          const owners = [owner('key:a', ...buckets)];
          const open: { by: RedisLimiter; end: () => Promise<void> }[] = [];
          for (const [index, { tokens, used, maxWaitMs, ends, ms, other, which }] of steps.entries()) {
            clockMs += ms;
            const by = other ? asks : repeats;
            const admission = { requestId: `${index}`, owners, demand: demand(1, tokens), maxWaitMs };
            const before = await calls();
            const decision = await by.admit(admission);
            if ((await calls()) === before) {
              repeated += 1;
              const truth = await asks.admit({ ...admission, requestId: `truth-${index}` });
              expect(decision.admitted).toBe(false);
              expect(truth.admitted).toBe(false);
            }
            if (decision.admitted) {
              const { reservation } = decision;
              const end = () =>
                ends === 'cancel'
                  ? by.cancel(reservation)
                  : by.settle(reservation, { inputTokens: used, outputTokens: 0 });
              if (ends === 'open') open.push({ by, end });
              else await end();
            } else if (open.length > 0) await open.splice(which % open.length, 1)[0]?.end();
          }
          await repeats.close();
          await asks.close();
        },
      ),
      { numRuns: 60 },
    );
    expect(repeated).toBeGreaterThan(20);
  });
});
