import { EventEmitter } from 'node:events';
import { handClock } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/path/turns.ts';

const asking = (headers: Record<string, string> = {}, startedMs = 0) => ({ req: { headers }, startedMs });

describe('a place among those who wait', () => {
  it('is for as long as the configuration says, and no longer than what is left of the time that the client waits', () => {
    const clock = handClock(0);
    const turns = new Turns({ longestMs: () => 5_000, nowMs: clock.now });
    expect(turns.enter(asking())).toBe(5_000);
    expect(turns.enter(asking({ 'x-stainless-timeout': '600' }))).toBe(5_000);
    expect(turns.enter(asking({ 'x-stainless-timeout': '3' }))).toBe(3_000);
    expect(turns.enter(asking({ 'x-stainless-read-timeout': '2.5' }))).toBe(2_500);
    clock.advance(900.5);
    expect(turns.enter(asking({ 'x-stainless-timeout': '3' }))).toBe(2_099);
    expect(turns.enter(asking({ 'x-stainless-timeout': '0' }))).toBe(0);
    expect(turns.places).toBe(5);
    clock.advance(2_100);
    expect(turns.enter(asking({ 'x-stainless-timeout': '3' }))).toBe(0);
    expect(turns.places).toBe(5);
  });

  it('is given to so many at once and no more', () => {
    const turns = new Turns({ longestMs: () => 5_000, nowMs: () => 0 });
    const given = Array.from({ length: 1_100 }, () => turns.enter(asking())).filter((ms) => ms > 0);
    expect(given).toHaveLength(1_000);
    turns.leave();
    expect(turns.enter(asking())).toBe(5_000);
    expect(turns.enter(asking())).toBe(0);
  });

  it('is none where nobody may wait', () => {
    const turns = new Turns({ longestMs: () => 0, nowMs: () => 0 });
    expect(turns.enter(asking())).toBe(0);
    expect(turns.places).toBe(0);
  });

  it('leaves nothing behind on the connection, whichever way it ends', async () => {
    const turns = new Turns({ longestMs: () => 5_000, nowMs: () => performance.now() });
    for (const leaves of [true, false]) {
      turns.enter(asking());
      const connection = Object.assign(new EventEmitter(), { destroyed: false });
      const exchange: Parameters<typeof turns.come>[0] = { ending: 'whole' };
      const come = turns.come(exchange, performance.now() + (leaves ? 60_000 : 20), connection);
      expect(connection.listenerCount('close')).toBe(1);
      if (leaves) connection.emit('close');
      expect(await come).toBe(!leaves);
      expect(exchange.ending).toBe(leaves ? 'client left' : 'whole');
      expect(exchange.waitedMs).toBeGreaterThanOrEqual(leaves ? 0 : 19);
      expect(connection.listenerCount('close')).toBe(0);
      expect(turns.places).toBe(0);
    }
  });

  it('never comes before its time', async () => {
    const turns = new Turns({ longestMs: () => 5_000, nowMs: () => performance.now() });
    for (let count = 0; count < 30; count += 1) {
      turns.enter(asking());
      const startMs = performance.now() + 1 + count / 7;
      const connection = Object.assign(new EventEmitter(), { destroyed: false });
      await turns.come({ ending: 'whole' }, startMs, connection);
      expect(performance.now()).toBeGreaterThanOrEqual(startMs);
    }
  });

  it('ends at once where the client has left before', async () => {
    const turns = new Turns({ longestMs: () => 5_000, nowMs: () => 0 });
    turns.enter(asking());
    const connection = Object.assign(new EventEmitter(), { destroyed: true });
    expect(await turns.come({ ending: 'whole' }, 60_000, connection)).toBe(false);
    expect(turns.places).toBe(0);
  });
});
