import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUsage } from '../src/usage-report.ts';

describe('readUsage', () => {
  it('reads the usage of chat completions with cached and reasoning tokens', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 64, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 32 },
    };
    expect(readUsage(usage)).toEqual({
      inputTokens: 100,
      outputTokens: 50,
      cachedInputTokens: 64,
      reasoningTokens: 32,
    });
  });

  it('reads the usage of embeddings, which has no output', () => {
    expect(readUsage({ prompt_tokens: 8, total_tokens: 8 })).toMatchObject({
      inputTokens: 8,
      outputTokens: 0,
    });
    expect(readUsage({ prompt_tokens: 8 })).toMatchObject({ inputTokens: 8, outputTokens: undefined });
  });

  it('reads the usage of the Responses API', () => {
    const usage = {
      input_tokens: 30,
      input_tokens_details: { cached_tokens: 10 },
      output_tokens: 20,
      output_tokens_details: { reasoning_tokens: 5 },
      total_tokens: 50,
    };
    expect(readUsage(usage)).toEqual({
      inputTokens: 30,
      outputTokens: 20,
      cachedInputTokens: 10,
      reasoningTokens: 5,
    });
  });

  it('adds what Anthropic wrote to and read from the cache to the input, for its input leaves them out', () => {
    const usage = {
      input_tokens: 3,
      cache_creation_input_tokens: 200,
      cache_read_input_tokens: 1_000,
      output_tokens: 7,
    };
    expect(readUsage(usage)).toMatchObject({ inputTokens: 1_203, cachedInputTokens: 1_000, outputTokens: 7 });
  });

  it('does not add cache fields to prompt_tokens, which holds them', () => {
    const usage = { prompt_tokens: 1_203, completion_tokens: 7, cache_read_input_tokens: 1_000 };
    expect(readUsage(usage)).toMatchObject({ inputTokens: 1_203, cachedInputTokens: 1_000 });
  });

  it('takes a lone total for input', () => {
    expect(readUsage({ total_tokens: 12 })).toMatchObject({ inputTokens: 12, outputTokens: 0 });
  });

  it('ignores negative, text, null and absurd fields, and fills the side from the total where it can', () => {
    expect(readUsage({ prompt_tokens: -5, completion_tokens: 4 })).toMatchObject({
      inputTokens: undefined,
      outputTokens: 4,
    });
    expect(readUsage({ prompt_tokens: '7', completion_tokens: 1e300 })).toBeUndefined();
    expect(readUsage({ prompt_tokens: null, completion_tokens: 4, total_tokens: 9 })).toMatchObject({
      inputTokens: 5,
      outputTokens: 4,
    });
  });

  it('rounds fractions up', () => {
    expect(readUsage({ prompt_tokens: 1.2, completion_tokens: 0.1 })).toMatchObject({
      inputTokens: 2,
      outputTokens: 1,
    });
  });

  it('takes 0 for a report', () => {
    expect(readUsage({ prompt_tokens: 0, completion_tokens: 0 })).toMatchObject({
      inputTokens: 0,
      outputTokens: 0,
    });
  });

  it('is undefined for what says nothing', () => {
    for (const nothing of [undefined, null, 5, 'x', [], {}, [1], { prompt_tokens: {} }]) {
      expect(readUsage(nothing)).toBeUndefined();
    }
  });

  it('gives finite integers ≥ 0 for any JSON, with parts no larger than their wholes', () => {
    const field = fc.oneof(fc.double(), fc.integer(), fc.string(), fc.constant(null), fc.constant(-0));
    const usage = fc.record(
      {
        prompt_tokens: field,
        completion_tokens: field,
        input_tokens: field,
        output_tokens: field,
        total_tokens: field,
        cache_read_input_tokens: field,
        cache_creation_input_tokens: field,
        prompt_tokens_details: fc.oneof(field, fc.record({ cached_tokens: field })),
        output_tokens_details: fc.oneof(field, fc.record({ reasoning_tokens: field })),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(usage, (value) => {
        const read = readUsage(value);
        if (read === undefined) return;
        for (const tokens of Object.values(read)) {
          if (tokens === undefined) continue;
          expect(Number.isSafeInteger(tokens) && tokens >= 0 && !Object.is(tokens, -0)).toBe(true);
        }
        expect(read.cachedInputTokens).toBeLessThanOrEqual(read.inputTokens ?? 0);
        expect(read.reasoningTokens).toBeLessThanOrEqual(read.outputTokens ?? 0);
      }),
      { numRuns: 1_000 },
    );
  });
});
