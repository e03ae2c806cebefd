import { randomUUID } from 'node:crypto';
import type { Reservation } from '@nexus/domain';
import { startRedisProxy, until } from '@nexus/testkit';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { connectRedis, InsuredLimiter, RedisLimiter } from '../../src/index.ts';
import { demand, MINUTE_MS, owner, rate } from '../limit-shapes.ts';
import { PATIENT_MS, SILENT_MS } from './insured-harness.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };
const OWNERS = [owner('key:a', rate('requests', 1_000_000, MINUTE_MS, 1_000_000))];
const USED = { inputTokens: 1, outputTokens: 1 };

describe.skipIf(noRedis)('what the ledger is to know of a request', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
    await redis.client.connect();
  });
  afterAll(async () => {
    redis?.client.disconnect();
    await redis?.process.stop();
  });

  async function limiterAt(
    url: string,
    { most = 1_000, isInsured = false, commandTimeoutMs = PATIENT_MS } = {},
  ) {
    const keyPrefix = randomUUID();
    const [stream, lost] = [`{${keyPrefix}}:ledger`, `{${keyPrefix}}:ledger:lost`];
    const connections = connectRedis({ url, commandTimeoutMs }, () => {});
    const options = { connections, keyPrefix, records: { stream, lost, most } };
    const limiter = isInsured ? new InsuredLimiter(options) : new RedisLimiter(options);
    onTestFinished(() => limiter.close());
    expect(await connections.untilReady(20_000)).toBe(true);
    const admitted = async (requestId = randomUUID()) => {
      const decision = await limiter.admit({ requestId, owners: OWNERS, demand: demand(1) });
      if (!decision.admitted) throw new Error('It was refused');
      return decision.reservation;
    };
    const records = async () =>
      (await redis.client.xrange(stream, '-', '+')).map(([, fields]) => fields.slice(1).join());
    /** Ends are told in order: when this one is, whatever was to be told again has been. */
    const allTold = async () => {
      const last = await until(admitted, PATIENT);
      await limiter.settle(last, USED, 'last');
      await until(async () => (await records()).at(-1) === 'last', PATIENT);
    };
    const lostCount = async () => Number((await redis.client.get(lost)) ?? 0);
    return { limiter, admitted, records, allTold, lostCount, stream, lost };
  }

  it('goes into the stream when the request ends, whether it is settled or gets everything back', async () => {
    const { limiter, admitted, records } = await limiterAt(redis.url);
    await limiter.settle(await admitted(), USED, 'settled');
    await limiter.cancel(await admitted(), 'given back');
    await limiter.settle(await admitted(), USED);
    expect(await records()).toEqual(['settled', 'given back']);
  });

  it('goes there once, with the first end', async () => {
    const { limiter, admitted, records } = await limiterAt(redis.url);
    const reservation = await admitted();
    await Promise.all([
      limiter.settle(reservation, USED, 'first'),
      limiter.settle(reservation, USED, 'second'),
      limiter.cancel(reservation, 'third'),
    ]);
    await limiter.settle(reservation, USED, 'fourth');
    expect(await records()).toEqual(['first']);
  });

  it('goes there once although the answer of Redis is lost and the end is told again', async () => {
    const proxy = await startRedisProxy(redis.port);
    const { limiter, admitted, records, allTold } = await limiterAt(proxy.url, {
      commandTimeoutMs: SILENT_MS,
    });
    const reservations = await Promise.all(Array.from({ length: 20 }, () => admitted()));
    proxy.losesAnswers = true;
    const ended = reservations.map((one, index) => limiter.settle(one, USED, `r${index}`));
    await until(async () => (await records()).length > 0, PATIENT);
    await Promise.all(ended);
    proxy.losesAnswers = false;
    proxy.cut();
    await allTold();
    expect((await records()).sort()).toEqual([...reservations.map((_, index) => `r${index}`), 'last'].sort());
  });

  it('is told in order, many in one call, each with its own', async () => {
    const { limiter, admitted, records } = await limiterAt(redis.url);
    const reservations = await Promise.all(Array.from({ length: 200 }, () => admitted()));
    await Promise.all(
      reservations.map((one, index) =>
        index % 3 === 0 ? limiter.settle(one, USED) : limiter.settle(one, USED, `r${index}`),
      ),
    );
    const expected = reservations.flatMap((_, index) => (index % 3 === 0 ? [] : [`r${index}`]));
    expect(await records()).toEqual(expected);
  });

  it('is counted as lost where the stream is full; the request ends all the same', async () => {
    const { limiter, admitted, records, lostCount, lost } = await limiterAt(redis.url, { most: 2 });
    for (const name of ['a', 'b', 'c', 'd']) await limiter.settle(await admitted(), USED, name);
    expect(await records()).toEqual(['a', 'b']);
    expect(await lostCount()).toBe(2);
    expect(await redis.client.pttl(lost)).toBeGreaterThan(0);
    expect(limiter.state().reservations).toBe(0);
  });

  it('is counted as lost where the stream is something else; the request ends all the same', async () => {
    const { limiter, admitted, lostCount, stream } = await limiterAt(redis.url);
    await redis.client.set(stream, 'no stream');
    const reservation = await admitted();
    await limiter.settle(reservation, USED, 'a');
    expect(await lostCount()).toBe(1);
    expect(limiter.endings()).toEqual({ queued: 0, lost: 0 });
  });

  it('waits while Redis is away, and comes once when it is back, whoever decided meanwhile', async () => {
    const proxy = await startRedisProxy(redis.port);
    const { limiter, admitted, records, allTold } = await limiterAt(proxy.url, {
      isInsured: true,
      commandTimeoutMs: SILENT_MS,
    });
    const before = await admitted();
    proxy.losesAnswers = true;
    const during: Reservation[] = [];
    await until(async () => {
      during.push(await admitted());
      return limiter.state().status === 'degraded';
    }, PATIENT);
    await limiter.settle(before, USED, 'before');
    for (const [index, one] of during.entries()) await limiter.settle(one, USED, `during ${index}`);
    const late = await admitted();
    const given = await admitted();
    await limiter.cancel(given, 'given back');
    proxy.losesAnswers = false;
    proxy.cut();
    await until(() => limiter.state().status === 'ok', PATIENT);
    await limiter.settle(late, USED, 'late');
    await limiter.settle(late, USED, 'late again');
    await allTold();
    const expected = ['before', 'given back', 'late', 'last', ...during.map((_, index) => `during ${index}`)];
    expect((await records()).sort()).toEqual(expected.sort());
  });
});
