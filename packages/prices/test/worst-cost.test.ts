import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cost, worstCost } from '../src/cost.ts';
import { nanoUsd } from '../src/nano-usd.ts';
import { type Price, ratesOf } from '../src/price.ts';
import { anyPrice, flat } from './any-price.ts';
import { anyUsage, usage } from './usage-samples.ts';

const RUNS = { numRuns: 500 };
const TWO_31 = 2 ** 31;

describe('worstCost', () => {
  it('is never below the cost of any usage within its reach, at any price', () => {
    fc.assert(
      fc.property(
        anyPrice,
        anyUsage(TWO_31),
        fc.nat({ max: 1e6 }),
        fc.nat({ max: 1e6 }),
        (price, used, a, b) => {
          const reach = {
            inputTokens: Math.min(TWO_31, used.inputTokens + a),
            outputTokens: Math.min(TWO_31, used.outputTokens + b),
            webSearches: used.outputParts?.webSearches ?? 0,
          };
          const worst = worstCost(price, reach);
          expect(Number.isSafeInteger(worst)).toBe(true);
          expect(worst).toBeGreaterThanOrEqual(cost(price, used));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('is never below the cost of a usage without the classes that are ruled out', () => {
    fc.assert(
      fc.property(anyPrice, anyUsage(1e9), (price, used) => {
        const plain = { ...used, inputParts: undefined, outputParts: undefined };
        const reach = { inputTokens: used.inputTokens, outputTokens: used.outputTokens };
        const worst = worstCost(price, { ...reach, cacheWrites: false, audio: false, images: false });
        expect(worst).toBeGreaterThanOrEqual(cost(price, plain));
        expect(worst).toBeLessThanOrEqual(worstCost(price, reach));
      }),
      RUNS,
    );
  });

  it('is what a plain call costs where no class is dearer', () => {
    const price = flat({ input: 2.5, cachedInput: 1.25, output: 10 });
    const reach = { inputTokens: 1_000, outputTokens: 100 };
    expect(worstCost(price, reach)).toBe(cost(price, usage(reach)));
  });

  it('counts cache writes, audio and images only where the call can have them', () => {
    const price = flat({
      input: 3,
      cacheWrite: 3.75,
      cacheWrite1h: 6,
      output: 15,
      audioOutput: 80,
      imageInput: 7,
    });
    const reach = { inputTokens: 1_000, outputTokens: 100 };
    expect(worstCost(price, reach)).toBe(1_000 * 7_000 + 100 * 80_000);
    expect(worstCost(price, { ...reach, images: false })).toBe(1_000 * 6_000 + 100 * 80_000);
    const text = { ...reach, images: false, audio: false, cacheWrites: false };
    expect(worstCost(price, text)).toBe(1_000 * 3_000 + 100 * 15_000);
  });

  it('looks no further than the steps that the input can come to', () => {
    const price: Price = {
      model: 'stepped',
      steps: [
        { aboveInputTokens: -1, rates: ratesOf({ input: nanoUsd(5) }) },
        { aboveInputTokens: 200_000, rates: ratesOf({ input: nanoUsd(10) }) },
      ],
    };
    expect(worstCost(price, { inputTokens: 200_000, outputTokens: 0 })).toBe(200_000 * 5_000);
    expect(worstCost(price, { inputTokens: 200_001, outputTokens: 0 })).toBe(200_001 * 10_000);
  });
});
