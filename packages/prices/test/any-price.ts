import fc from 'fast-check';
import { NANO_PER_USD, nanoUsd } from '../src/nano-usd.ts';
import {
  MOST_USD_PER_CALL,
  MOST_USD_PER_MILLION,
  MOST_USD_PER_WEB_SEARCH,
  type Price,
  type Rates,
  ratesOf,
} from '../src/price.ts';

/** The dearest rates that are ever taken. */
export const DEAREST_RATE = MOST_USD_PER_MILLION * NANO_PER_USD;

const rate = fc.oneof(
  fc.nat({ max: DEAREST_RATE }),
  fc.constantFrom(
    0,
    1,
    999_999,
    1_000_000,
    1_000_001,
    75_000_000,
    2_500_000_000,
    DEAREST_RATE - 1,
    DEAREST_RATE,
  ),
);

export const anyRates: fc.Arbitrary<Rates> = fc.record({
  input: rate,
  cachedInput: rate,
  cacheWrite: rate,
  cacheWrite1h: rate,
  output: rate,
  reasoning: rate,
  audioInput: rate,
  cachedAudio: rate,
  audioOutput: rate,
  imageInput: rate,
  cachedImage: rate,
  imageOutput: rate,
  call: fc.nat({ max: MOST_USD_PER_CALL * NANO_PER_USD }),
  webSearch: fc.nat({ max: MOST_USD_PER_WEB_SEARCH * NANO_PER_USD }),
});

/** A price of one to three steps, in which a later step may be cheaper. */
export const anyPrice: fc.Arbitrary<Price> = fc
  .uniqueArray(fc.record({ aboveInputTokens: fc.nat({ max: 2_000_000 }), rates: anyRates }), {
    selector: (step) => step.aboveInputTokens,
    maxLength: 2,
  })
  .chain((others) =>
    anyRates.map((rates) => ({
      model: 'any',
      steps: [
        { aboveInputTokens: -1, rates },
        ...others.toSorted((a, b) => a.aboveInputTokens - b.aboveInputTokens),
      ],
    })),
  );

/** A price without steps, in US dollars for a million tokens, for one call, for one search. */
export function flat(usd: Partial<Rates>): Price {
  const nano = Object.fromEntries(Object.entries(usd).map(([name, value]) => [name, nanoUsd(value)]));
  return { model: 'flat', steps: [{ aboveInputTokens: -1, rates: ratesOf(nano) }] };
}
