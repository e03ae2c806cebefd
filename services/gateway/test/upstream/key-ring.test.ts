import { inspect } from 'node:util';
import { handClock } from '@nexus/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KeyLease, KeyRing } from '../../src/upstream/key-ring.ts';

const START_MS = 1_790_000_000_000;

describe('A ring of keys', () => {
  it('gives the key with the fewest requests under way of those that do not cool off, and counts them right', () => {
    const step = fc.oneof(
      fc.record({ does: fc.constant('take' as const) }),
      fc.record({ does: fc.constant('release' as const), which: fc.nat(20) }),
      fc.record({
        does: fc.constant('cool' as const),
        which: fc.nat(20),
        ms: fc.integer({ min: 1, max: 9 }),
      }),
      fc.record({ does: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 5 }) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (count, steps) => {
        const clock = handClock(START_MS);
        const ring = new KeyRing(
          Array.from({ length: count }, (_, n) => `k${n}`),
          clock.now,
        );
        const load = Array<number>(count).fill(0);
        const coolsUntil = Array<number>(count).fill(0);
        const leases: KeyLease[] = [];
        for (const one of steps) {
          if (one.does === 'pass') clock.advance(one.ms);
          else if (one.does === 'take') {
            const restMs = coolsUntil.map((until) => Math.max(0, until - clock.now()));
            const soonest = Math.min(...restMs);
            const least = Math.min(...load.filter((_, n) => restMs[n] === soonest));
            expect(ring.isReady()).toBe(soonest === 0);
            const lease = ring.take();
            expect([restMs[lease.index], load[lease.index]]).toEqual([soonest, least]);
            expect(lease.secret()).toBe(`k${lease.index}`);
            load[lease.index] = (load[lease.index] ?? 0) + 1;
            leases.push(lease);
          } else {
            const lease = leases[one.which];
            if (lease === undefined) continue;
            if (one.does === 'cool') {
              lease.cool(one.ms);
              coolsUntil[lease.index] = Math.max(coolsUntil[lease.index] ?? 0, clock.now() + one.ms);
            } else {
              lease.release();
              lease.release();
              load[lease.index] = (load[lease.index] ?? 0) - 1;
              leases.splice(one.which, 1);
            }
          }
          expect(ring.load()).toEqual(load);
        }
      }),
    );
  });

  it('takes keys of the same load in turn', () => {
    const ring = new KeyRing(['a', 'b', 'c'], () => START_MS);
    const taken = Array.from({ length: 6 }, () => {
      const lease = ring.take();
      lease.release();
      return lease.index;
    });
    expect(taken).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('passes a refused key over for five minutes, and tells of it once in that time', () => {
    const clock = handClock(START_MS);
    const ring = new KeyRing(['a', 'b'], clock.now);
    const [first, second] = [ring.take(), ring.take()];
    expect([first.refused(), first.refused()]).toEqual([true, false]);
    expect(ring.take().index).toBe(second.index);
    clock.advance(300_000);
    expect(ring.take().index).toBe(first.index);
    expect(first.refused()).toBe(true);
  });

  it('shows no key to who prints it', () => {
    const ring = new KeyRing(['canary-key'], () => START_MS);
    const lease = ring.take();
    expect(
      inspect([ring, lease], { depth: 9, showHidden: true }) + JSON.stringify([ring, lease]),
    ).not.toContain('canary');
  });
});
