import { readFileSync } from 'node:fs';
import { calcPrice } from '@pydantic/genai-prices';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { genaiCatalog } from '../scripts/genai-catalog.ts';
import { Catalog } from '../src/catalog.ts';
import { parseCatalog } from '../src/catalog-text.ts';
import { cost } from '../src/cost.ts';
import { undatedName } from '../src/model-name.ts';
import { type Price, periodAt } from '../src/price.ts';
import { DEAREST_RATE } from './any-price.ts';
import { inputParts, usage } from './usage-samples.ts';

const text = readFileSync(new URL('../src/catalog.tsv', import.meta.url), 'utf8');
const providers = parseCatalog(text);
const catalog = new Catalog(providers);
const NOW_MS = Date.parse('2026-11-20T12:00:00Z');

function priceOf(name: string, provider?: string, atMs = NOW_MS): Price | undefined {
  const model = catalog.find(name, provider);
  return model === undefined ? undefined : periodAt(model.periods, atMs)?.price;
}

/** Dollars for a million input and a million output tokens of a short prompt. */
function usdPerMillion(name: string, provider?: string, atMs?: number): [number, number] | undefined {
  const rates = priceOf(name, provider, atMs)?.steps[0]?.rates;
  return rates === undefined ? undefined : [rates.input / 1e9, rates.output / 1e9];
}

const allNames = providers.flatMap(({ id, models }) =>
  models.flatMap(({ names }) => names.map((name) => ({ id, name }))),
);

describe('catalog.tsv', () => {
  it('is what the pinned @pydantic/genai-prices gives (else: pnpm catalog)', async () => {
    expect(await genaiCatalog(packageJson.devDependencies['@pydantic/genai-prices'])).toBe(text);
  });

  it('holds prices that the arithmetic can hold, no cheaper with size', () => {
    for (const { id, models } of providers) {
      for (const { names, periods } of models) {
        const label = `${id}/${names[0]}`;
        expect([label, periods.length > 0]).toEqual([label, true]);
        for (const { price } of periods) {
          let before = 0;
          for (const { rates } of price.steps) {
            const all = Object.values(rates);
            const sound = all.every(
              (nano) => Number.isSafeInteger(nano) && nano >= 0 && nano <= DEAREST_RATE,
            );
            expect([label, sound, rates.input >= before]).toEqual([label, true, true]);
            before = rates.input;
          }
        }
      }
    }
  });

  it('charges text as the package does, by every name, before, at and after each change and time of day', () => {
    const times = [
      '2024-06-01T00:00:00Z',
      '2026-08-20T23:59:59Z',
      '2026-08-21T00:00:00Z',
      '2026-11-20T02:00:00Z',
      '2027-03-01T20:00:00Z',
    ];
    const amounts = [
      { input: 1_234, cached: 0, output: 567 },
      { input: 272_000, cached: 1_000, output: 99 },
      { input: 271_999, cached: 200_000, output: 1 },
    ];
    let compared = 0;
    for (const { id, name } of allNames) {
      // Fine-tunes are listed without what the package looks for behind their base's name.
      if (name.startsWith('ft:')) continue;
      for (const [index, time] of times.entries()) {
        const { input, cached, output } = amounts[index % amounts.length] ?? {
          input: 1,
          cached: 0,
          output: 1,
        };
        const theirs = calcPrice(
          { input_tokens: input, cache_read_tokens: cached, output_tokens: output },
          name,
          { providerId: id, timestamp: new Date(time) },
        );
        const price = priceOf(name, id, Date.parse(time));
        if (theirs === null || price === undefined) throw new Error(`${id}/${name} has no price at ${time}`);
        const used = usage({ inputTokens: input, cachedInputTokens: cached, outputTokens: output });
        // Up to our rounding, theirs in doubles, and nine decimals of a price.
        const gap = Math.abs(cost(price, used) - theirs.total_price * 1e9);
        if (gap > 2) throw new Error(`${id}/${name} at ${time}: ${gap} nano-dollars apart`);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(8_000);
  });
});

describe('find', () => {
  it('knows a model by its name, its dated snapshots, and as provider/name', () => {
    expect(usdPerMillion('gpt-4o')).toEqual([2.5, 10]);
    expect(usdPerMillion('gpt-4o-2024-08-06')).toEqual([2.5, 10]);
    expect(usdPerMillion('openai/gpt-4o')).toEqual([2.5, 10]);
    expect(usdPerMillion('gpt-4o-mini-2024-07-18')).toEqual([0.15, 0.6]);
    expect(usdPerMillion('claude-sonnet-4-5-20250929')).toEqual([3, 15]);
    expect(usdPerMillion('claude-3-5-sonnet-latest')).toEqual([3, 15]);
    expect(usdPerMillion('gemini/gemini-2.5-flash')).toEqual([0.3, 2.5]);
    expect(usdPerMillion('models/gemini-2.5-flash')).toEqual([0.3, 2.5]);
    expect(usdPerMillion('text-embedding-3-small')).toEqual([0.02, 0]);
  });

  it('takes a snapshot with a price of its own at that one', () => {
    expect(usdPerMillion('gpt-4o-2024-05-13')).toEqual([5, 15]);
    expect(catalog.snapshotOf('gpt-4o-2024-05-13')).toBeUndefined();
    expect(catalog.snapshotOf('gpt-4o-2024-08-06')).toBe('gpt-4o');
  });

  it('takes a snapshot that is not listed yet for its model', () => {
    expect(usdPerMillion('gpt-4o-2029-01-31')).toEqual([2.5, 10]);
  });

  it('charges fine-tuned models as such, and knows none of whose base it has no such price', () => {
    expect(usdPerMillion('ft:gpt-4o-mini-2024-07-18:acme::abc123')).toEqual([0.3, 1.2]);
    expect(usdPerMillion('ft:gpt-4o-2024-08-06:acme:search:abc123')).toEqual([3.75, 15]);
    expect(usdPerMillion('ft:gpt-3.5-turbo-0125:acme::abc123')).toEqual([3, 6]);
    expect(usdPerMillion('ft:gpt-3.5-turbo:acme::abc123')).toEqual([3, 6]);
    expect(usdPerMillion('ft:gpt-4.1-2025-04-14:acme::abc123')).toBeUndefined();
    expect(usdPerMillion('ft:gpt-4o-mini-hacked:acme::abc123')).toBeUndefined();
  });

  it("knows Azure's names, and the models of others that Azure sells at their price", () => {
    const azure = catalog.providerAt('https://acme.openai.azure.com/openai');
    expect(azure).toBe('azure');
    expect(usdPerMillion('gpt-35-turbo', azure)).toEqual([0.5, 1.5]);
    expect(usdPerMillion('gpt-4o', azure)).toEqual([2.5, 10]);
    expect(usdPerMillion('azure/gpt-4o')).toEqual([2.5, 10]);
    expect(usdPerMillion('acme-chat-deployment', azure)).toBeUndefined();
  });

  it("takes the provider's price of a model that several sell, and nobody's for another", () => {
    const groq = catalog.providerAt('https://api.groq.com/openai/v1');
    expect(groq).toBe('groq');
    expect(priceOf('openai/gpt-oss-120b', groq)?.model).toBe('groq/openai/gpt-oss-120b');
    expect(priceOf('gpt-4o', groq)).toBeUndefined();
    expect(priceOf('openai/gpt-4o', groq)).toBeUndefined();
    expect(priceOf('llama-3.3-70b-versatile')).toBeUndefined();
    expect(priceOf('groq/llama-3.3-70b-versatile')?.model).toBe('groq/llama-3.3-70b-versatile');
  });

  it('reads what Bedrock puts around a name, for Bedrock alone', () => {
    const bedrock = catalog.providerAt('https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1');
    expect(bedrock).toBe('aws');
    expect(usdPerMillion('us.anthropic.claude-3-5-haiku-20241022-v1:0', bedrock)).toEqual([0.8, 4]);
    expect(priceOf('amazon.nova-pro-plus-v1:0', bedrock)).toBeUndefined();
    expect(usdPerMillion('gpt-4o-v2')).toBeUndefined();
    expect(usdPerMillion('us.gpt-4o')).toBeUndefined();
  });

  it('knows no provider at an address that only looks like one', () => {
    expect(catalog.providerAt('https://api.openai.com/v1')).toBe('openai');
    expect(catalog.providerAt('https://llm.acme.example/?u=https://api.openai.com')).toBeUndefined();
    expect(catalog.providerAt('http://127.0.0.1:9999')).toBeUndefined();
  });

  it('does not know models that are paid by time or page, for a price of 0 would be a lie', () => {
    for (const name of ['whisper-1', 'gpt-transcribe', 'mistral-ocr-latest', 'groq/whisper-large-v3']) {
      expect([name, priceOf(name)]).toEqual([name, undefined]);
    }
    expect(usdPerMillion('moderation')).toEqual([0, 0]);
  });

  it('never takes a model for another whose name its own begins with, be it cheaper or dearer', () => {
    const known = fc.constantFrom(
      ...allNames.filter(({ id }) => ['openai', 'anthropic', 'google', 'mistral', 'openrouter'].includes(id)),
    );
    const suffix = fc.oneof(
      fc.constantFrom(
        'x',
        '-pro',
        '-turbo',
        '-mini',
        '-2',
        '.1',
        '-0613',
        '-2048',
        '-2024',
        '-2024-13-01',
        '-20240230',
        '-latest',
        ':free',
        '-2024-08-06-x',
        '@1',
      ),
      fc.string({ unit: fc.constantFrom('a', 'b', '-', '.', '3', ':', '/'), minLength: 1, maxLength: 5 }),
    );
    const listed = new Map(
      providers.map(({ id, models }) => [id, new Set(models.flatMap(({ names }) => names))]),
    );
    fc.assert(
      fc.property(known, suffix, ({ id, name }, end) => {
        const longer = name + end;
        // What a colon and an owner, or a date, behind a name mean is told above.
        fc.pre(!longer.startsWith('ft:') && undatedName(longer) === undefined);
        expect(catalog.find(longer, id) !== undefined).toBe(
          listed.get(id)?.has(longer) === true || foundElsewhere(id, longer),
        );
      }),
      { numRuns: 3_000 },
    );

    /** Google sells what Anthropic lists, and a name may begin with its provider's. */
    function foundElsewhere(id: string, name: string): boolean {
      return id === 'google' && listed.get('anthropic')?.has(name) === true;
    }
  });

  it('finds nothing, and nothing inherited, for hostile names', () => {
    for (const name of [
      '',
      '/',
      'openai/',
      '__proto__',
      'constructor',
      'openai/__proto__',
      '*',
      'gpt-4o\n',
      '\0',
      'gpt-4o '.repeat(100),
    ]) {
      expect([name, catalog.find(name)]).toEqual([name, undefined]);
      expect([name, catalog.find('gpt-4o', name)]).toEqual([name, undefined]);
    }
    expect(catalog.find(`gpt-4o${'-2024-08-06'.repeat(100_000)}`)).toBeUndefined();
  });
});

describe('published prices', () => {
  it('gpt-4o-mini: 1,000 input tokens, half of them cached, and 500 output cost $0.0004125 (developers.openai.com/api/docs/pricing)', () => {
    // $0.15, cached $0.075, output $0.60 for a million.
    const used = usage({ inputTokens: 1_000, cachedInputTokens: 500, outputTokens: 500 });
    expect(cost(expectPrice('gpt-4o-mini'), used)).toBe(412_500);
  });

  it('claude-sonnet-4: 4,735 tokens written to the cache, 5 more and 255 out cost $0.02159625 (platform.claude.com/docs/en/about-claude/pricing)', () => {
    // $3, 5-minute write $3.75, output $15 for a million; the usage of the example in genai-prices' README.
    const used = usage({
      inputTokens: 4_740,
      outputTokens: 255,
      inputParts: inputParts({ cacheWriteTokens: 4_735 }),
    });
    expect(cost(expectPrice('claude-sonnet-4-20250514'), used)).toBe(21_596_250);
  });

  it('a one-hour cache write costs twice the input (platform.claude.com/docs/en/build-with-claude/prompt-caching)', () => {
    const used = usage({
      inputTokens: 1_000_000,
      inputParts: inputParts({ cacheWriteTokens: 1_000_000, cacheWrite1hTokens: 1_000_000 }),
    });
    expect(cost(expectPrice('claude-opus-4-5'), used)).toBe(10_000_000_000);
  });

  it('gemini-2.5-pro: 200,000 input tokens cost $0.25, one more makes all of them dearer (ai.google.dev/gemini-api/docs/pricing)', () => {
    const price = expectPrice('gemini-2.5-pro');
    expect(cost(price, usage({ inputTokens: 200_000 }))).toBe(250_000_000);
    expect(cost(price, usage({ inputTokens: 200_001, outputTokens: 1_000_000 }))).toBe(
      500_002_500 + 15_000_000_000,
    );
  });

  it('o3: $10 and $40 until 2025-06-10, $2 and $8 from then on (developers.openai.com/api/docs/models/o3)', () => {
    expect(usdPerMillion('o3', undefined, Date.parse('2025-06-09T23:59:59.999Z'))).toEqual([10, 40]);
    expect(usdPerMillion('o3', undefined, Date.parse('2025-06-10T00:00:00Z'))).toEqual([2, 8]);
  });

  it('gpt-4o-audio-preview: a million tokens of audio cost $40 in and $80 out (openai.com/index/o1-and-new-tools-for-developers)', () => {
    const rates = expectPrice('gpt-4o-audio-preview').steps[0]?.rates;
    expect(rates).toMatchObject({ input: 2.5e9, output: 10e9, audioInput: 40e9, audioOutput: 80e9 });
  });

  function expectPrice(name: string): Price {
    const price = priceOf(name);
    if (price === undefined) throw new Error(`no price of ${name}`);
    return price;
  }
});
