import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MODEL_FAMILIES, modelFamily } from '../../src/metrics/model-family.ts';

const family = (model: string | undefined) => MODEL_FAMILIES[modelFamily(model)];

describe("A model's family", () => {
  it.each([
    ['gpt-4o-mini', 'gpt-4o-mini'],
    ['gpt-4o-mini-2024-07-18', 'gpt-4o-mini'],
    ['gpt-4o-2024-08-06', 'gpt-4o'],
    ['GPT-4o', 'gpt-4o'],
    ['ft:gpt-4o-mini-2024-07-18:acme::abc', 'gpt-4o-mini'],
    ['openai/gpt-4.1-nano', 'gpt-4.1-nano'],
    ['gpt-4-turbo', 'gpt-4'],
    ['gpt-5.1-codex-mini', 'gpt-5-mini'],
    ['gpt-5', 'gpt-5'],
    ['gpt-35-turbo', 'gpt-3.5'],
    ['gpt-3.5-turbo-0125', 'gpt-3.5'],
    ['o3', 'o'],
    ['o1-2024-12-17', 'o'],
    ['o4-mini', 'o-mini'],
    ['claude-3-5-sonnet-20241022', 'claude-sonnet'],
    ['claude-sonnet-4-5', 'claude-sonnet'],
    ['us.anthropic.claude-3-5-haiku-20241022-v1:0', 'claude-haiku'],
    ['claude-opus-4-1', 'claude-opus'],
    ['text-embedding-3-small', 'embedding'],
    ['gpt-4o-audio-preview', 'audio'],
    ['gemini-2.5-pro', 'gemini'],
    ['meta-llama/Llama-3.3-70B', 'llama'],
    ['foo3', 'other'],
    ['', 'other'],
    [undefined, 'none'],
  ])('of %s is %s', (model, expected) => {
    expect(family(model)).toBe(expected);
    // The second time it is remembered.
    expect(family(model)).toBe(expected);
  });

  it('is one of a fixed list, whatever name a client invents', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ minLength: 100, maxLength: 300 })), (model) => {
        expect(MODEL_FAMILIES).toContain(family(model));
      }),
    );
    expect(family(`gpt-4o${'x'.repeat(1_000_000)}`)).toBe('other');
    for (const name of ['__proto__', 'constructor', 'toString']) expect(family(name)).toBe('other');
  });
});
