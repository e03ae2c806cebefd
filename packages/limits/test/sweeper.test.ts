import { afterEach, describe, expect, it, vi } from 'vitest';
import { EndedRequests } from '../src/ended-requests.ts';
import { MemoryLimiter } from '../src/index.ts';
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

const limits = [rate('requests', 10, SECOND_MS), rate('model_tokens', 600, MINUTE_MS), slots(2)];

/** A limiter, its clock, and a way to make one request of an owner. */
function start() {
  const clock = { nowMs: START_MS };
  const limiter = new MemoryLimiter({ clock: () => clock.nowMs });
  let count = 0;
  const ask = async (name: string, ends: boolean, ...more: typeof limits) => {
    const owners = [owner(name, ...limits, ...more)];
    const decision = await limiter.admit({ requestId: `${count++}`, owners, demand: demand(1, 10) });
    if (decision.admitted && ends)
      await limiter.settle(decision.reservation, { inputTokens: 10, outputTokens: 0 });
  };
  return { clock, limiter, ask };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('an invented owner', () => {
  it('is forgotten with the calls of others, even if its request never ended', async () => {
    const { clock, limiter, ask } = start();
    for (let index = 0; index < 5_000; index += 1) await ask(`key:${index}`, index % 2 === 0);
    clock.nowMs += 3 * MINUTE_MS;
    const busy = { owners: [owner('key:busy', slots(3_000))], demand: demand(1) };
    for (let index = 0; index < 3_000; index += 1)
      await limiter.admit({ requestId: `busy-${index}`, ...busy });
    expect(limiter.state()).toMatchObject({ owners: 1, reservations: 3_000 });
    await limiter.close();
  });

  it('is forgotten when no more calls come at all', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { clock, limiter, ask } = start();
    for (let index = 0; index < 12_000; index += 1) await ask(`key:${index}`, index % 2 === 0);
    clock.nowMs += 3 * MINUTE_MS;
    vi.advanceTimersByTime(3_000);
    expect(limiter.state().owners).toBe(0);
    expect(limiter.dump()).toEqual([]);
    clock.nowMs += 3 * MINUTE_MS;
    vi.advanceTimersByTime(2_000);
    expect(vi.getTimerCount()).toBe(0);
    await ask('key:late', true);
    expect(vi.getTimerCount()).toBe(1);
    await limiter.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not forgotten while anything is missing, held or used in its window', async () => {
    const { clock, limiter, ask } = start();
    await ask('key:held', false);
    await limiter.admit({
      requestId: 'day',
      owners: [owner('key:day', calendar('requests', 5))],
      demand: demand(1),
    });
    clock.nowMs += 999;
    for (let index = 0; index < 50; index += 1) await ask('key:real', true);
    expect(limiter.dump().map(({ owner: name }) => name)).toEqual(['key:held', 'key:day', 'key:real']);
    clock.nowMs += 3 * MINUTE_MS;
    for (let index = 0; index < 50; index += 1) await ask('key:real', true);
    expect(limiter.dump().map(({ owner: name }) => name)).toEqual(['key:day', 'key:real']);
    clock.nowMs += DAY_MS;
    for (let index = 0; index < 50; index += 1) await ask('key:real', true);
    expect(limiter.dump().map(({ owner: name }) => name)).toEqual(['key:real']);
    await limiter.close();
  });

  it('does not hand its hold to a later owner of the same name when it is settled after all', async () => {
    const { clock, limiter, ask } = start();
    const owners = [owner('key:a', slots(2))];
    const third = await limiter.admit({ requestId: 'third', owners, demand: demand(1) });
    const first = await limiter.admit({ requestId: 'first', owners, demand: demand(1) });
    clock.nowMs += 3 * MINUTE_MS;
    for (let index = 0; index < 50; index += 1) await ask('key:real', true);
    clock.nowMs = START_MS;
    expect((await limiter.admit({ requestId: 'second', owners, demand: demand(1) })).admitted).toBe(true);
    if (first.admitted) await limiter.cancel(first.reservation);
    if (third.admitted) await limiter.settle(third.reservation, { inputTokens: 0, outputTokens: 0 });
    expect((await limiter.peek(owners))[0]?.available).toBe(1);
    await limiter.close();
  });
});

describe('the ids of ended requests', () => {
  it('are kept for the time given, and for twice as long at most', () => {
    const ended = new EndedRequests(1_000);
    ended.add('a', 0);
    ended.add('b', 999);
    ended.turn(1_500);
    expect([ended.has('a'), ended.has('b')]).toEqual([true, true]);
    ended.turn(3_000);
    expect(ended.size).toBe(0);
  });

  it('are the last ones only, when very many end', () => {
    const ended = new EndedRequests(1_000, 10);
    for (let index = 0; index < 1_000; index += 1) ended.add(`${index}`, 5);
    expect(ended.size).toBeLessThanOrEqual(20);
    expect([ended.has('999'), ended.has('990'), ended.has('5')]).toEqual([true, true, false]);
  });
});
