import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile, ratioSpread, waitQuantile } from '../src/statistics.ts';

const numbers = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 60 });

describe('median', () => {
  it('is the middle of an odd number and the mean of the two in the middle of an even one', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 2, 4])).toBe(3);
    expect(median([7])).toBe(7);
    expect(median([])).toBeNaN();
  });

  it('sorts by size, not by digits', () => {
    expect(median([100, 9, 20])).toBe(20);
  });

  it('has as many values at or below it as at or above it', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const middle = median(values);
        const half = values.length / 2;
        expect(values.filter((value) => value <= middle).length).toBeGreaterThanOrEqual(half);
        expect(values.filter((value) => value >= middle).length).toBeGreaterThanOrEqual(half);
      }),
    );
  });
});

describe('quantile', () => {
  it('is a measured value that the share of all does not exceed, and no smaller one is', () => {
    fc.assert(
      fc.property(numbers, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const found = quantile(values, q);
        expect(values).toContain(found);
        expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual(q * values.length);
        expect(values.filter((value) => value < found).length).toBeLessThanOrEqual(q * values.length);
      }),
    );
  });

  it('takes the 99th of a hundred for p99', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe('ratioSpread', () => {
  it('divides within each pair, so that a round slow for both does not count', () => {
    const pairs = [
      { device: 90, pipe: 100 },
      { device: 910, pipe: 1_000 },
      { device: 100, pipe: 100 },
    ];
    expect(ratioSpread(pairs)).toEqual({ min: 0.9, median: 0.91, max: 1 });
  });
});

describe('waitQuantile', () => {
  it('counts a long gap by its length, where a plain quantile hides it', () => {
    const gaps = [...Array.from({ length: 900 }, () => 1), 100];
    expect(quantile(gaps, 0.99)).toBe(1);
    // One moment in ten falls into the long gap; one in a hundred into its first tenth, and waits 90 or more.
    expect(waitQuantile(gaps, 0.99)).toBeCloseTo(90, 6);
  });

  it('is nothing where there were no gaps, and never more than the longest', () => {
    expect(waitQuantile([], 0.99)).toBe(0);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1 }), (gaps) => {
        expect(waitQuantile(gaps, 0.99)).toBeLessThanOrEqual(Math.max(...gaps));
      }),
    );
  });
});
