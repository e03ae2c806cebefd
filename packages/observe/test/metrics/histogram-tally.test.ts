import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HistogramTally } from '../../src/metrics/histogram-tally.ts';

const BOUNDS = [0.001, 0.25, 1, 1.5, 60];

describe('A histogram tally', () => {
  it('puts every value into the first bucket that it fits in, bounds included', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.constantFrom(...BOUNDS))),
        (values) => {
          const tally = new HistogramTally(BOUNDS);
          for (const value of values) tally.observe(value);
          const upTo = (bound: number) => values.filter((value) => value <= bound).length;
          let count = 0;
          for (const [place, bound] of BOUNDS.entries()) {
            count += tally.counts[place] ?? 0;
            expect(count).toBe(upTo(bound));
          }
          expect(count + (tally.counts[BOUNDS.length] ?? 0)).toBe(values.length);
          expect(tally.sum).toBeCloseTo(
            values.reduce((sum, value) => sum + value, 0),
            6,
          );
        },
      ),
    );
  });

  it('ignores what is no finite number or less than nothing', () => {
    const tally = new HistogramTally(BOUNDS);
    for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      tally.observe(value);
    tally.observeMs(undefined);
    expect([tally.sum, ...tally.counts]).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('is added to another without changing either', () => {
    const [one, two] = [new HistogramTally(BOUNDS), new HistogramTally(BOUNDS)];
    one.observe(0.25);
    two.observe(0.25);
    two.observe(1_000);
    const both = one.plus(two);
    expect([both.sum, ...both.counts]).toEqual([1_000.5, 0, 2, 0, 0, 0, 1]);
    expect([one.sum, two.sum]).toEqual([0.25, 1_000.25]);
  });
});
