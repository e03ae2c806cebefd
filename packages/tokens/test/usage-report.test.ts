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

  it('tells how long Anthropic keeps what was written to its cache, and of its searches', () => {
    const usage = {
      input_tokens: 3,
      cache_creation_input_tokens: 200,
      cache_creation: { ephemeral_5m_input_tokens: 50, ephemeral_1h_input_tokens: 150 },
      output_tokens: 7,
      server_tool_use: { web_search_requests: 2 },
    };
    expect(readUsage(usage)).toEqual({
      inputTokens: 203,
      outputTokens: 7,
      cachedInputTokens: 0,
      reasoningTokens: 0,
      inputParts: {
        cacheWriteTokens: 200,
        cacheWrite1hTokens: 150,
        audioTokens: 0,
        cachedAudioTokens: 0,
        imageTokens: 0,
        cachedImageTokens: 0,
      },
      outputParts: { audioTokens: 0, imageTokens: 0, webSearches: 2 },
    });
  });

  it("reads the audio of a chat completion and OpenAI's cache writes", () => {
    const read = readUsage({
      prompt_tokens: 100,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 20, audio_tokens: 60, cache_write_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 40 },
    });
    expect(read).toMatchObject({
      cachedInputTokens: 20,
      inputParts: { audioTokens: 60, cacheWriteTokens: 10, cacheWrite1hTokens: 0 },
      outputParts: { audioTokens: 40, webSearches: 0 },
    });
  });

  it('reads the images of the Images API and the audio of transcriptions', () => {
    const images = {
      input_tokens: 50,
      output_tokens: 4_000,
      input_tokens_details: { text_tokens: 10, image_tokens: 40 },
      output_tokens_details: { text_tokens: 0, image_tokens: 4_000 },
    };
    expect(readUsage(images)).toMatchObject({
      inputParts: { imageTokens: 40 },
      outputParts: { imageTokens: 4_000 },
    });
    const speech = {
      type: 'tokens',
      input_tokens: 14,
      output_tokens: 9,
      input_token_details: {
        text_tokens: 0,
        audio_tokens: 14,
        cached_tokens: 4,
        cached_tokens_details: { audio_tokens: 4 },
      },
    };
    expect(readUsage(speech)).toMatchObject({
      cachedInputTokens: 4,
      inputParts: { audioTokens: 14, cachedAudioTokens: 4 },
    });
  });

  it('has no parts where the upstream tells of none, and cuts them to their wholes', () => {
    const plain = readUsage({
      prompt_tokens: 5,
      completion_tokens: 5,
      prompt_tokens_details: { audio_tokens: 0 },
    });
    expect(plain).toMatchObject({ inputParts: undefined, outputParts: undefined });
    const absurd = readUsage({
      prompt_tokens: 5,
      completion_tokens: 3,
      prompt_tokens_details: { audio_tokens: 500, cache_write_tokens: 70 },
      completion_tokens_details: { audio_tokens: 90 },
      server_tool_use: { web_search_requests: 1e9 },
    });
    expect(absurd).toMatchObject({
      inputParts: { audioTokens: 5, cacheWriteTokens: 5 },
      outputParts: { audioTokens: 3, webSearches: 10_000 },
    });
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
        cache_creation: fc.oneof(
          field,
          fc.record({ ephemeral_5m_input_tokens: field, ephemeral_1h_input_tokens: field }),
        ),
        server_tool_use: fc.oneof(field, fc.record({ web_search_requests: field })),
        prompt_tokens_details: fc.oneof(
          field,
          fc.record({
            cached_tokens: field,
            audio_tokens: field,
            image_tokens: field,
            cache_write_tokens: field,
            cached_tokens_details: fc.oneof(field, fc.record({ audio_tokens: field, image_tokens: field })),
          }),
        ),
        output_tokens_details: fc.oneof(
          field,
          fc.record({ reasoning_tokens: field, audio_tokens: field, image_tokens: field }),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(usage, (value) => {
        const read = readUsage(value);
        if (read === undefined) return;
        const { inputParts, outputParts, ...sides } = read;
        for (const tokens of Object.values({ ...sides, ...inputParts, ...outputParts })) {
          if (tokens === undefined) continue;
          expect(Number.isSafeInteger(tokens) && tokens >= 0 && !Object.is(tokens, -0)).toBe(true);
        }
        expect(read.cachedInputTokens).toBeLessThanOrEqual(read.inputTokens ?? 0);
        expect(read.reasoningTokens).toBeLessThanOrEqual(read.outputTokens ?? 0);
        if (inputParts !== undefined) {
          const { cacheWriteTokens, cacheWrite1hTokens, audioTokens, cachedAudioTokens } = inputParts;
          expect(Math.max(cacheWriteTokens, audioTokens, inputParts.imageTokens)).toBeLessThanOrEqual(
            read.inputTokens ?? 0,
          );
          expect(cacheWrite1hTokens).toBeLessThanOrEqual(cacheWriteTokens);
          expect(cachedAudioTokens).toBeLessThanOrEqual(audioTokens);
          expect(inputParts.cachedImageTokens).toBeLessThanOrEqual(inputParts.imageTokens);
        }
        if (outputParts !== undefined) {
          expect(Math.max(outputParts.audioTokens, outputParts.imageTokens)).toBeLessThanOrEqual(
            read.outputTokens ?? 0,
          );
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
