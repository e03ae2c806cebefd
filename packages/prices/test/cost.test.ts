import { NO_USAGE, type Usage } from '@nexus/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cost } from '../src/cost.ts';
import { nanoUsd } from '../src/nano-usd.ts';
import { type Price, ratesOf } from '../src/price.ts';
import { anyPrice, anyRates, DEAREST_RATE, flat } from './any-price.ts';
import { anyUsage, inputParts, outputParts, usage } from './usage-samples.ts';

const RUNS = { numRuns: 500 };
const TWO_31 = 2 ** 31;

/** What the parts cost, each by itself and unrounded, by bigint: no shortcut in common with `cost`. */
function exactCost(parts: readonly (readonly [tokens: number, rate: number])[], whole: number): bigint {
  const sum = parts.reduce((total, [tokens, rate]) => total + BigInt(tokens) * BigInt(rate), 0n);
  return (sum + 999_999n) / 1_000_000n + BigInt(whole);
}

describe('cost', () => {
  it('charges cached input, other input and output at their own rates', () => {
    const price = flat({ input: 2.5, cachedInput: 1.25, output: 10 });
    const used = usage({ inputTokens: 1_000, cachedInputTokens: 400, outputTokens: 100 });
    expect(cost(price, used)).toBe(600 * 2_500 + 400 * 1_250 + 100 * 10_000);
  });

  it('rounds up once, at the end', () => {
    const price = flat({ input: 0.000_4, output: 0.000_4 }); // 0.4 nano-dollars a token
    expect(cost(price, usage({ inputTokens: 1 }))).toBe(1);
    expect(cost(price, usage({ inputTokens: 1, outputTokens: 1 }))).toBe(1);
    expect(cost(price, usage({ inputTokens: 2, outputTokens: 1 }))).toBe(2);
    expect(cost(price, usage({ inputTokens: 5 }))).toBe(2);
  });

  it('costs nothing where the upstream says 0 tokens, whatever was estimated before', () => {
    expect(cost(flat({ input: 5, output: 25 }), usage({ source: 'reported' }))).toBe(0);
  });

  it('charges cache writes by how long they stay, and none of them as input again', () => {
    const price = flat({ input: 3, cachedInput: 0.3, cacheWrite: 3.75, cacheWrite1h: 6, output: 15 });
    const used = usage({
      inputTokens: 1_000,
      cachedInputTokens: 300,
      inputParts: inputParts({ cacheWriteTokens: 600, cacheWrite1hTokens: 200 }),
    });
    expect(cost(price, used)).toBe(100 * 3_000 + 300 * 300 + 400 * 3_750 + 200 * 6_000);
  });

  it('charges audio, images, reasoning, searches and the call at their own rates', () => {
    const price = flat({
      input: 4,
      cachedInput: 0.4,
      output: 16,
      reasoning: 17,
      audioInput: 32,
      cachedAudio: 0.5,
      audioOutput: 64,
      imageInput: 5,
      cachedImage: 0.6,
      imageOutput: 40,
      call: 0.012,
      webSearch: 0.01,
    });
    const used = usage({
      inputTokens: 1_000,
      cachedInputTokens: 60,
      outputTokens: 500,
      reasoningTokens: 50,
      inputParts: inputParts({
        audioTokens: 300,
        cachedAudioTokens: 30,
        imageTokens: 200,
        cachedImageTokens: 20,
      }),
      outputParts: outputParts({ audioTokens: 100, imageTokens: 200, webSearches: 2 }),
    });
    const input = 490 * 4_000 + 10 * 400 + 270 * 32_000 + 30 * 500 + 180 * 5_000 + 20 * 600;
    const output = 150 * 16_000 + 50 * 17_000 + 100 * 64_000 + 200 * 40_000;
    expect(cost(price, used)).toBe(input + output + 12_000_000 + 2 * 10_000_000);
  });

  it('takes cached input for text as far as there was text, and for audio and images beyond', () => {
    const price = flat({
      input: 1,
      cachedInput: 0.1,
      audioInput: 10,
      cachedAudio: 5,
      imageInput: 4,
      cachedImage: 2,
    });
    const parts = inputParts({ audioTokens: 50, imageTokens: 30 });
    const cached = (cachedInputTokens: number): number =>
      cost(price, usage({ inputTokens: 100, cachedInputTokens, inputParts: parts }));
    expect(cached(20)).toBe(20 * 100 + 50 * 10_000 + 30 * 4_000);
    expect(cached(40)).toBe(20 * 100 + 50 * 10_000 + 10 * 4_000 + 20 * 2_000);
    expect(cached(100)).toBe(20 * 100 + 50 * 5_000 + 30 * 2_000);
  });

  it('charges the whole call at the rates of its size: $5 up to 271,999 input tokens, $10 and dearer output from 272,000', () => {
    const price: Price = {
      model: 'stepped',
      steps: [
        { aboveInputTokens: -1, rates: ratesOf({ input: nanoUsd(5), output: nanoUsd(30) }) },
        { aboveInputTokens: 271_999, rates: ratesOf({ input: nanoUsd(10), output: nanoUsd(45) }) },
      ],
    };
    expect(cost(price, usage({ inputTokens: 271_999, outputTokens: 10 }))).toBe(271_999 * 5_000 + 300_000);
    expect(cost(price, usage({ inputTokens: 272_000, outputTokens: 10 }))).toBe(272_000 * 10_000 + 450_000);
  });

  it('charges no call where there was none, and as many as it is told', () => {
    const price = flat({ call: 0.04 });
    expect(cost(price, NO_USAGE)).toBe(0);
    expect(cost(price, NO_USAGE, 1)).toBe(40_000_000);
    expect(cost(price, usage({}), 0)).toBe(0);
    expect(cost(price, usage({}))).toBe(40_000_000);
  });

  it('is a whole number ≥ 0, below 2^53, for any usage of 2^31 tokens a side at any price', () => {
    fc.assert(
      fc.property(anyPrice, anyUsage(TWO_31), (price, used) => {
        const nano = cost(price, used);
        expect(Number.isSafeInteger(nano) && nano >= 0 && !Object.is(nano, -0)).toBe(true);
      }),
      RUNS,
    );
  });

  it('holds the dearest call of all exactly', () => {
    const dearest = Object.fromEntries(Object.keys(ratesOf({})).map((name) => [name, DEAREST_RATE]));
    const price: Price = {
      model: 'dearest',
      steps: [{ aboveInputTokens: -1, rates: { ...ratesOf(dearest), call: 1_000e9, webSearch: 10e9 } }],
    };
    const used = usage({
      inputTokens: TWO_31,
      outputTokens: TWO_31,
      outputParts: outputParts({ webSearches: 10_000 }),
    });
    expect(BigInt(cost(price, used))).toBe(
      2n ** 32n * 2_000_000n + 1_000_000_000_000n + 100_000_000_000_000n,
    );
    expect(cost(price, used)).toBeLessThan(2 ** 53);
  });

  it('is what exact arithmetic gives, rounded up', () => {
    const tokens = fc.nat({ max: TWO_31 });
    fc.assert(
      fc.property(anyRates, tokens, tokens, tokens, (rates, plain, cached, output) => {
        const price: Price = { model: 'any', steps: [{ aboveInputTokens: -1, rates }] };
        const inputTokens = Math.min(TWO_31, plain + cached);
        const cachedInputTokens = Math.min(cached, inputTokens);
        const used = usage({ inputTokens, cachedInputTokens, outputTokens: output });
        const parts = [
          [inputTokens - cachedInputTokens, rates.input],
          [cachedInputTokens, rates.cachedInput],
          [output, rates.output],
        ] as const;
        expect(BigInt(cost(price, used))).toBe(exactCost(parts, rates.call));
      }),
      RUNS,
    );
  });

  it('never falls when a usage grows by tokens of any class, within a step', () => {
    const grown = fc.record({ input: fc.nat({ max: 1e6 }), output: fc.nat({ max: 1e6 }) });
    fc.assert(
      fc.property(anyRates, anyUsage(1e9), grown, (rates, used, more) => {
        const price: Price = { model: 'any', steps: [{ aboveInputTokens: -1, rates }] };
        // Parts stay as they are, within their wholes, as every upstream's sums do.
        const sound = soundUsage(used);
        const larger = {
          ...sound,
          inputTokens: sound.inputTokens + more.input,
          outputTokens: sound.outputTokens + more.output,
        };
        expect(cost(price, larger)).toBeGreaterThanOrEqual(cost(price, sound));
      }),
      RUNS,
    );
  });

  it('is the sum of what its parts cost alone, up to the roundings', () => {
    fc.assert(
      fc.property(anyRates, anyUsage(1e9), (rates, used) => {
        const price: Price = { model: 'any', steps: [{ aboveInputTokens: -1, rates }] };
        const input = cost(
          price,
          { ...used, outputTokens: 0, reasoningTokens: 0, outputParts: undefined },
          0,
        );
        const output = cost(
          price,
          { ...used, inputTokens: 0, cachedInputTokens: 0, inputParts: undefined },
          1,
        );
        const gap = input + output - cost(price, used);
        expect(gap === 0 || gap === 1).toBe(true);
      }),
      RUNS,
    );
  });

  it('costs the same for two calls as for their sum, up to one rounding', () => {
    const pair = fc.tuple(fc.nat({ max: 1e9 }), fc.nat({ max: 1e9 }));
    fc.assert(
      fc.property(anyRates, pair, pair, (rates, [a, b], [x, y]) => {
        const price: Price = { model: 'any', steps: [{ aboveInputTokens: -1, rates }] };
        const of = (inputTokens: number, outputTokens: number): number =>
          cost(price, usage({ inputTokens, outputTokens }), 0);
        const gap = of(a, x) + of(b, y) - of(a + b, x + y);
        expect(gap === 0 || gap === 1).toBe(true);
      }),
      RUNS,
    );
  });
});

/** Cuts the parts of a usage so that they are disjoint and within their wholes. */
function soundUsage(used: Usage): Usage {
  const write = Math.min(used.inputParts?.cacheWriteTokens ?? 0, used.inputTokens);
  const cachedInputTokens = Math.min(used.cachedInputTokens, used.inputTokens - write);
  return {
    ...used,
    cachedInputTokens,
    reasoningTokens: Math.min(used.reasoningTokens, used.outputTokens),
    inputParts: inputParts({
      cacheWriteTokens: write,
      cacheWrite1hTokens: Math.min(used.inputParts?.cacheWrite1hTokens ?? 0, write),
    }),
    outputParts: outputParts({ webSearches: used.outputParts?.webSearches ?? 0 }),
  };
}
