import type { Decision, Limiter, Reservation } from '@nexus/domain';
import { startRedisProxy, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import fc from 'fast-check';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { connectRedis, RedisAwayError, RedisLimiter } from '../../src/index.ts';
import { demand, MINUTE_MS, owner, rate, START_MS, slots } from '../limit-shapes.ts';
import type { LimiterHarness } from '../limiter-harness.ts';
import { type Step, someOwners, someSteps, tightOwners } from '../limiter-sequence.ts';
import { redisHarness, sharedConnections } from './redis-harness.ts';

const redis = noRedis ? undefined : await startRedis();
const shared = redis ? await sharedConnections(redis.url) : undefined;
const LONG_MS = 120_000;
/** Ends wait for an admission: none goes by itself as long as a test runs. */
const NEVER_ALONE_MS = 1_000_000;
const USED = { inputTokens: 30, outputTokens: 12 };

afterAll(async () => {
  shared?.close();
  redis?.client.disconnect();
  await redis?.process.stop();
});

function parts() {
  if (!redis || !shared) throw new Error('There is no Redis');
  return { redis, client: redis.client, shared };
}

let made = 0;

async function limiterWith({
  gatherMs = NEVER_ALONE_MS,
  gatherFrom = 1,
  url = '',
  commandTimeoutMs = 10_000,
  most = 1_000,
}) {
  const { client, redis: server } = parts();
  const keyPrefix = `together-${made++}`;
  const stream = `{${keyPrefix}}:ledger`;
  const connections = connectRedis({ url: url || server.url, commandTimeoutMs }, () => {});
  const records = { stream, lost: `{${keyPrefix}}:lost`, most };
  const limiter = new RedisLimiter({ connections, keyPrefix, gatherMs, gatherFrom, records });
  onTestFinished(() => limiter.close());
  expect(await connections.untilReady(20_000)).toBe(true);
  const told = async () =>
    (await client.xrange(stream, '-', '+')).map(([, fields]) => fields.slice(1).join());
  return { limiter, told, keyPrefix };
}

/** Scripts run so far. */
async function calls(): Promise<number> {
  const stats = await parts().client.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

function reservationOf(decision: Decision): Reservation {
  if (!decision.admitted) throw new Error('It was refused');
  return decision.reservation;
}

/** From here on ends wait for company: they do after a call of theirs. */
const beginGathering = (limiter: Pick<RedisLimiter, 'cancel'>): Promise<void> =>
  limiter.cancel({ requestId: 'nobody', demand: demand(0) });

let sent = 0;

/** An admission that takes nothing, but takes ends along. */
const takeAlong = async (limiter: Limiter): Promise<void> => {
  await limiter.admit({ requestId: `sent-${sent++}`, owners: [], demand: demand(0) });
};

/** Goes through steps; what ends is awaited before the next step, or left to be taken along. */
async function play(
  { limiter, setNow }: LimiterHarness,
  owners: Parameters<typeof limiter.peek>[0],
  steps: readonly Step[],
  awaits: boolean,
) {
  const decisions: Decision[] = [];
  const held: Reservation[] = [];
  let [nowMs, asked] = [START_MS, 0];
  const ends = [beginGathering(limiter)];
  await Promise.all(ends);
  for (const step of steps) {
    if (step.does === 'admit') {
      const decision = await limiter.admit({ requestId: `${asked++}`, owners, demand: step.demand });
      if (decision.admitted) held.push(decision.reservation);
      decisions.push(decision);
    } else if (step.does === 'wait') {
      // What waits must not come to a later time.
      await takeAlong(limiter);
      nowMs += step.ms;
      setNow(nowMs);
    } else {
      const reservation = held[step.which % Math.max(1, held.length)];
      if (reservation === undefined) continue;
      const { does } = step;
      const end =
        does === 'settle'
          ? limiter.settle(reservation, step.used)
          : does === 'cancel'
            ? limiter.cancel(reservation)
            : limiter.renew([reservation]);
      ends.push(end);
      if (awaits) await end;
    }
  }
  await takeAlong(limiter);
  await Promise.all(ends);
  const shown = decisions.map((decision) => (decision.admitted ? { ...decision, reservation: 0 } : decision));
  // What is left shows as it refills, and as leases run out.
  const left: unknown[] = [];
  for (const laterMs of [0, 700, 61_000, 200_000, 90_000_000]) {
    setNow(nowMs + laterMs);
    left.push(await limiter.peek(owners));
  }
  return { shown, left };
}

describe.skipIf(noRedis)('ends that an admission takes along', () => {
  it(
    'leave what they leave by themselves, and the admission behind them finds it so',
    async () => {
      const { shared: connections, client } = parts();
      let taken = 0;
      await fc.assert(
        fc.asyncProperty(fc.oneof(someOwners, tightOwners), someSteps(), async (owners, steps) => {
          // One after the other: a harness begins by forgetting everything.
          const apart = await redisHarness(connections, client)(START_MS);
          const one = await play(apart, owners, steps, true);
          await apart.limiter.close();
          const together = await redisHarness(connections, client, { gatherMs: NEVER_ALONE_MS })(START_MS);
          const before = await calls();
          const other = await play(together, owners, steps, false);
          const own = steps.filter(({ does }) => does !== 'admit' && does !== 'wait').length;
          if ((await calls()) - before < steps.length + 1) taken += own;
          await together.limiter.close();
          expect(other).toEqual(one);
        }),
        { numRuns: 60 },
      );
      expect(taken).toBeGreaterThan(0);
    },
    LONG_MS,
  );

  it('go in its call, all of them, and free their slots for it', async () => {
    const { limiter, told } = await limiterWith({});
    const owners = [owner('key:a', slots(30))];
    const admit = (name: string) =>
      Promise.all(
        Array.from({ length: 30 }, (_, n) =>
          limiter.admit({ requestId: `${name}${n}`, owners, demand: demand(1) }),
        ),
      );
    const first = await admit('a');
    await beginGathering(limiter);
    const before = await calls();
    const ends = first.map((decision, n) => limiter.settle(reservationOf(decision), USED, `record ${n}`));
    const second = await admit('b');
    await Promise.all(ends);
    expect(second.every(({ admitted }) => admitted)).toBe(true);
    expect((await calls()) - before).toBe(1);
    expect(await told()).toEqual(first.map((_, n) => `record ${n}`));
  });

  it('go by themselves, each at once, where they come now and then', async () => {
    const { limiter } = await limiterWith({ gatherFrom: 8 });
    const owners = [owner('key:a', slots(30))];
    const held = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        limiter.admit({ requestId: `${n}`, owners, demand: demand(1) }).then(reservationOf),
      ),
    );
    const before = await calls();
    const settle = (reservation: Reservation) => limiter.settle(reservation, USED);
    for (const reservation of held.slice(0, 7)) await settle(reservation);
    expect((await calls()) - before).toBe(7);
    // With the eighth there are enough: from then on they wait.
    await Promise.all(held.slice(7, 8).map(settle));
    const [late] = held.slice(8, 9).map(settle);
    expect(limiter.endings().queued).toBe(1);
    await takeAlong(limiter);
    await late;
  });

  it('go by themselves where no admission comes', async () => {
    const { limiter } = await limiterWith({ gatherMs: 5 });
    const owners = [owner('key:a', slots(3))];
    const first = reservationOf(await limiter.admit({ requestId: '1', owners, demand: demand(1) }));
    const second = reservationOf(await limiter.admit({ requestId: '2', owners, demand: demand(1) }));
    await limiter.settle(first, USED);
    await limiter.settle(second, USED);
    expect(limiter.endings()).toEqual({ queued: 0, lost: 0 });
    expect((await limiter.peek(owners))[0]?.available).toBe(3);
  });

  it('reach Redis before the limiter is closed', async () => {
    const { limiter, told } = await limiterWith({});
    const owners = [owner('key:a', slots(3))];
    const held = reservationOf(await limiter.admit({ requestId: '1', owners, demand: demand(1) }));
    await beginGathering(limiter);
    const end = limiter.settle(held, USED, 'the last');
    await limiter.close();
    await end;
    expect(await told()).toEqual(['the last']);
    expect(limiter.endings()).toEqual({ queued: 0, lost: 0 });
  });

  it('are told again, and done once, where the answer to that call is lost', async () => {
    const { redis: server } = parts();
    const proxy = await startRedisProxy(server.port);
    const { limiter, told } = await limiterWith({ url: proxy.url, commandTimeoutMs: 1_000 });
    const owners = [owner('key:a', rate('model_tokens', 1, 60 * MINUTE_MS, 1_000), slots(5))];
    const held = reservationOf(await limiter.admit({ requestId: '1', owners, demand: demand(1, 50) }));
    await beginGathering(limiter);
    proxy.losesAnswers = true;
    const end = limiter.settle(held, USED, 'once');
    await expect(limiter.admit({ requestId: '2', owners, demand: demand(1) })).rejects.toBeInstanceOf(
      RedisAwayError,
    );
    await end;
    proxy.losesAnswers = false;
    proxy.cut();
    const available = async () => `${(await limiter.peek(owners)).map((view) => view.available)}`;
    await until(async () => (await available()) === '958,5', { withinMs: 20_000 });
    await until(() => limiter.endings().queued === 0, { withinMs: 20_000 });
    expect(await told()).toEqual(['once']);
    expect(await available()).toBe('958,5');
  }, 60_000);
});
