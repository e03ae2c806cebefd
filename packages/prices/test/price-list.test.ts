import { describe, expect, it } from 'vitest';
import { Catalog } from '../src/catalog.ts';
import type { PriceEntry } from '../src/price-entry.ts';
import { PriceList, type PriceListOptions, priceListProblems } from '../src/price-list.ts';

const catalog = Catalog.bundled();
const NOV_1_MS = Date.parse('2026-11-01T00:00:00Z');
const NOW_MS = Date.parse('2026-11-20T12:00:00Z');

function list(entries: readonly PriceEntry[], options: PriceListOptions = {}): PriceList {
  return new PriceList({ entries, catalog, ...options });
}

/** Nano-dollars for a million input tokens. */
function input(prices: PriceList, model: string, atMs = NOW_MS, provider?: string): number | undefined {
  return prices.priceOf(model, atMs, provider)?.steps[0]?.rates.input;
}

describe('prices of the configuration', () => {
  it('come before the published ones', () => {
    const prices = list([{ model: 'gpt-4o', inputUsdPerMillion: 1, outputUsdPerMillion: 4 }]);
    expect(input(prices, 'gpt-4o')).toBe(1e9);
    expect(input(prices, 'GPT-4o')).toBe(1e9);
    expect(input(prices, 'gpt-4o-mini')).toBe(0.15e9);
  });

  it('hold for dated snapshots of their model too, but for one with a published price of its own', () => {
    const prices = list([{ model: 'gpt-4o', inputUsdPerMillion: 1 }]);
    expect(input(prices, 'gpt-4o-2024-08-06')).toBe(1e9);
    expect(input(prices, 'gpt-4o-2024-05-13')).toBe(5e9);
  });

  it('add models, each from its day on, UTC', () => {
    const prices = list([
      { model: 'my-model', from: '2026-11-01', inputUsdPerMillion: 0.5 },
      { model: 'my-model', from: '2026-12-01', inputUsdPerMillion: 0.25 },
    ]);
    expect(input(prices, 'my-model', NOV_1_MS - 1)).toBeUndefined();
    expect(input(prices, 'my-model', NOV_1_MS)).toBe(0.5e9);
    expect(input(prices, 'my-model', Date.parse('2026-11-30T23:59:59.999Z'))).toBe(0.5e9);
    expect(input(prices, 'my-model', Date.parse('2026-12-01T00:00:00Z'))).toBe(0.25e9);
    expect(input(prices, 'my-model-2')).toBeUndefined();
    expect(input(prices, 'my-model-2027-01-01')).toBe(0.5e9);
  });

  it('leave the published price in force until their day, in whatever order they stand', () => {
    const prices = list([
      { model: 'gpt-4o', from: '2026-12-01', inputUsdPerMillion: 3 },
      { model: 'gpt-4o', from: '2026-11-01', inputUsdPerMillion: 1 },
    ]);
    expect(input(prices, 'gpt-4o', NOV_1_MS - 1)).toBe(2.5e9);
    expect(input(prices, 'gpt-4o', NOV_1_MS)).toBe(1e9);
    expect(input(prices, 'gpt-4o', Date.parse('2027-01-01T00:00:00Z'))).toBe(3e9);
  });

  it('may be for a pattern: a name comes before patterns, and the first pattern before later ones', () => {
    const prices = list([
      { model: 'acme-*', inputUsdPerMillion: 1 },
      { model: 'acme-large*', inputUsdPerMillion: 2 },
      { model: 'acme-large', inputUsdPerMillion: 3 },
    ]);
    expect(input(prices, 'acme-large')).toBe(3e9);
    expect(input(prices, 'acme-large-2')).toBe(1e9);
    expect(input(prices, 'acme')).toBeUndefined();
  });

  it('may name the model that a deployment costs the same as', () => {
    const prices = list([{ model: 'acme-chat-deployment', sameAs: 'gpt-4o' }]);
    expect(input(prices, 'acme-chat-deployment', NOW_MS, 'azure')).toBe(2.5e9);
  });

  it('give classes without a price that of their side', () => {
    const price = list([
      { model: 'm', inputUsdPerMillion: 2, outputUsdPerMillion: 8, usdPerCall: 0.01 },
    ]).priceOf('m', 0);
    expect(price?.steps).toEqual([
      {
        aboveInputTokens: -1,
        rates: {
          input: 2e9,
          cachedInput: 2e9,
          cacheWrite: 2e9,
          cacheWrite1h: 2e9,
          output: 8e9,
          reasoning: 8e9,
          audioInput: 2e9,
          cachedAudio: 2e9,
          audioOutput: 8e9,
          imageInput: 2e9,
          cachedImage: 2e9,
          imageOutput: 8e9,
          call: 10_000_000,
          webSearch: 0,
        },
      },
    ]);
  });

  it('set every class that is named', () => {
    const entry: PriceEntry = {
      model: 'm',
      inputUsdPerMillion: 1,
      cachedInputUsdPerMillion: 2,
      cacheWriteUsdPerMillion: 3,
      cacheWrite1hUsdPerMillion: 4,
      outputUsdPerMillion: 5,
      reasoningUsdPerMillion: 6,
      audioInputUsdPerMillion: 7,
      cachedAudioUsdPerMillion: 8,
      audioOutputUsdPerMillion: 9,
      imageInputUsdPerMillion: 10,
      cachedImageUsdPerMillion: 11,
      imageOutputUsdPerMillion: 12,
      usdPerCall: 0.013,
      usdPerWebSearch: 0.014,
    };
    const rates = list([entry]).priceOf('m', 0)?.steps[0]?.rates;
    const inOrder = [1e9, 2e9, 3e9, 4e9, 5e9, 6e9, 7e9, 8e9, 9e9, 10e9, 11e9, 12e9, 13e6, 14e6];
    expect(Object.values(rates ?? {})).toEqual(inOrder);
  });
});

describe('a model without a price', () => {
  it('is let through uncharged, refused, or charged as another, as unknown_model says', () => {
    expect(list([]).pricing('nobody-knows', NOW_MS)).toEqual({ kind: 'unpriced' });
    expect(list([], { unknownModel: 'refuse' }).pricing('nobody-knows', NOW_MS)).toEqual({ kind: 'refused' });
    const assuming = list([], { unknownModel: 'assume:gpt-4o' });
    expect(assuming.pricing('nobody-knows', NOW_MS)).toMatchObject({
      kind: 'assumed',
      price: { model: 'openai/gpt-4o' },
    });
    expect(assuming.pricing('gpt-4o-mini', NOW_MS)).toMatchObject({
      kind: 'known',
      price: { model: 'openai/gpt-4o-mini' },
    });
    expect(assuming.priceOf('nobody-knows', NOW_MS)).toBeUndefined();
  });

  it('may be a call that names none', () => {
    expect(list([], { unknownModel: 'refuse' }).pricing(undefined, NOW_MS)).toEqual({ kind: 'refused' });
  });

  it('may be assumed to be one of the configuration', () => {
    const options: PriceListOptions = {
      entries: [{ model: 'house', inputUsdPerMillion: 7 }],
      unknownModel: 'assume:house',
      catalog,
    };
    expect(priceListProblems(options)).toEqual([]);
    expect(new PriceList(options).pricing('x', NOW_MS)).toMatchObject({
      kind: 'assumed',
      price: { model: 'house' },
    });
  });
});

describe('priceListProblems', () => {
  function problems(
    entries: readonly PriceEntry[],
    unknownModel: PriceListOptions['unknownModel'] = 'refuse',
  ): string[] {
    return priceListProblems({ entries, unknownModel, catalog });
  }

  it('finds none in sound prices, 0 included', () => {
    expect(
      problems([
        { model: 'm', inputUsdPerMillion: 0 },
        { model: 'n', usdPerCall: 0.04 },
      ]),
    ).toEqual([]);
    expect(problems([{ model: 'm', from: '2028-02-29', outputUsdPerMillion: 2_000 }])).toEqual([]);
  });

  it('tells of every one at once, by the names of the configuration', () => {
    const found = problems([
      { model: 'a', from: '2026-02-30', inputUsdPerMillion: -1 },
      { model: 'b', cachedInputUsdPerMillion: 0.1 },
      { model: 'c', outputUsdPerMillion: Number.NaN, inputUsdPerMillion: 2_001 },
      { model: 'd', sameAs: 'gpt-4o', inputUsdPerMillion: 1 },
      { model: 'e', sameAs: 'nobody-knows' },
      { model: ' ', inputUsdPerMillion: 1 },
    ]);
    expect(found).toEqual([
      'prices: a: from must be a day like 2026-11-01, not 2026-02-30',
      'prices: a: input_usd_per_million must be from 0 to 2000, not -1',
      'prices: b: needs input_usd_per_million, output_usd_per_million, usd_per_call or same_as (0 is a price)',
      'prices: c: input_usd_per_million must be from 0 to 2000, not 2001',
      'prices: c: output_usd_per_million must be from 0 to 2000, not NaN',
      'prices: d: same_as stands alone, without prices beside it',
      'prices: e: same_as names nobody-knows, which has no published price',
      'prices: a model needs a name',
    ]);
  });

  it('finds two prices of a model from the same day', () => {
    const twice = [
      { model: 'm', inputUsdPerMillion: 1 },
      { model: 'M', inputUsdPerMillion: 2 },
    ];
    expect(problems(twice)).toEqual(['prices: M: has two prices from the same day']);
  });

  it('finds an assumed model that has no price itself', () => {
    expect(problems([], 'assume:nobody-knows')).toEqual([
      'unknown_model: nobody-knows has no price itself; add it to prices or name another model',
    ]);
    expect(problems([], 'assume:gpt-4o')).toEqual([]);
  });
});
