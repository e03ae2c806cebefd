import { handClock } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { Breaker } from '../../src/upstream/breaker.ts';

/** A breaker with its clock, and what it told. */
function standing() {
  const clock = handClock(1_790_000_000_000);
  const told: string[] = [];
  const breaker = new Breaker(clock.now, (state) => told.push(state));
  /** Calls, each `+` that succeeds or `-` that fails; gives back how many were let through. */
  const call = (outcomes: string) => {
    let passed = 0;
    for (const outcome of outcomes) {
      const permit = breaker.permit();
      if (permit) passed += 1;
      if (outcome === '-') permit?.failed();
      else permit?.succeeded();
    }
    return passed;
  };
  return { clock, told, breaker, call };
}

describe('A breaker', () => {
  it.each([
    ['five failures in a row', '-----', true],
    ['four of them', '----+----', false],
    ['more than half of the last twenty', `${'+-'.repeat(9)}--`, true],
    ['half of the last twenty', '+-'.repeat(20), false],
    ['more than half of fewer', '--+--+--+', false],
  ])('opens by its rule: %s', (_what, outcomes, isOpen) => {
    const { call, told, breaker } = standing();
    expect(call(outcomes)).toBe(outcomes.length);
    expect(breaker.permit() === undefined).toBe(isOpen);
    expect(told).toEqual(isOpen ? ['open'] : []);
  });

  it('lets nothing through for ten seconds, then one at a time, and closes at the first success', () => {
    const { call, clock, told, breaker } = standing();
    call('-----');
    clock.advance(9_999);
    expect([breaker.closedForMs(), breaker.permit()]).toEqual([1, undefined]);
    clock.advance(1);
    const probe = breaker.permit();
    expect([probe === undefined, breaker.permit()]).toEqual([false, undefined]);
    probe?.failed();
    expect([breaker.closedForMs(), breaker.permit()]).toEqual([10_000, undefined]);
    clock.advance(10_000);
    breaker.permit()?.succeeded();
    expect(breaker.closedForMs()).toBe(0);
    expect(call('----')).toBe(4);
    expect(told).toEqual(['open', 'closed']);
  });

  it('lets the next probe go where one is abandoned, or takes longer than ten seconds', () => {
    const { call, clock, breaker } = standing();
    call('-----');
    clock.advance(10_000);
    breaker.permit()?.abandoned();
    const slow = breaker.permit();
    expect(breaker.permit()).toBeUndefined();
    clock.advance(10_000);
    const next = breaker.permit();
    expect(next).toBeDefined();
    slow?.abandoned();
    expect(breaker.permit()).toBeUndefined();
    next?.succeeded();
    expect(breaker.closedForMs()).toBe(0);
  });

  it('hears the first word of each call alone, and nothing of calls that began before it opened', () => {
    const { breaker, call, clock } = standing();
    const early = breaker.permit();
    const twice = breaker.permit();
    for (let i = 0; i < 9; i++) twice?.failed();
    expect(breaker.closedForMs()).toBe(0);
    call('----');
    expect(breaker.closedForMs()).toBe(10_000);
    clock.advance(5_000);
    early?.succeeded();
    expect(breaker.closedForMs()).toBe(5_000);
  });
});
