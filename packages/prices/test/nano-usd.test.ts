import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatUsd, MOST_USD, nanoUsd } from '../src/nano-usd.ts';

describe('nanoUsd', () => {
  it('takes decimals as they are written', () => {
    expect(nanoUsd(0.075)).toBe(75_000_000);
    expect(nanoUsd(0.1 + 0.2)).toBe(300_000_000);
    expect(nanoUsd(1.005)).toBe(1_005_000_000);
    expect(nanoUsd(1e-9)).toBe(1);
    expect(nanoUsd(0)).toBe(0);
    expect(Object.is(nanoUsd(-0), 0)).toBe(true);
    expect(nanoUsd(-0.5)).toBe(-500_000_000);
    expect(nanoUsd(9_000_000)).toBe(9e15);
  });

  it('refuses what is no amount', () => {
    for (const usd of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, MOST_USD + 1, -MOST_USD - 1]) {
      expect(() => nanoUsd(usd)).toThrow(RangeError);
    }
  });

  it('gives back any whole number of nano-dollars that was written as dollars', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 }), (nano) => {
        expect(nanoUsd(Number(formatUsd(nano)))).toBe(nano);
      }),
      { numRuns: 500 },
    );
  });
});

describe('formatUsd', () => {
  it('shows two to nine decimals, exactly', () => {
    expect(formatUsd(123_000)).toBe('0.000123');
    expect(formatUsd(1)).toBe('0.000000001');
    expect(formatUsd(0)).toBe('0.00');
    expect(formatUsd(1_500_000_000)).toBe('1.50');
    expect(formatUsd(20_000_000_000)).toBe('20.00');
    expect(formatUsd(-4_500_000)).toBe('-0.0045');
    expect(formatUsd(Number.MAX_SAFE_INTEGER)).toBe('9007199.254740991');
  });
});
