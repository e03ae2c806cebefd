import { describe, expect, it } from 'vitest';
import { encodingOf } from '../src/encoding.ts';

describe('encodingOf', () => {
  it.each([
    ['gpt-4o', 'o200k_base'],
    ['gpt-4o-mini-2024-07-18', 'o200k_base'],
    ['gpt-4.1-nano', 'o200k_base'],
    ['gpt-4.5-preview', 'o200k_base'],
    ['gpt-5', 'o200k_base'],
    ['o1', 'o200k_base'],
    ['o4-mini', 'o200k_base'],
    ['chatgpt-4o-latest', 'o200k_base'],
    ['openai/gpt-4o', 'o200k_base'],
    ['gpt-4', 'cl100k_base'],
    ['gpt-4-0613', 'cl100k_base'],
    ['gpt-4-turbo', 'cl100k_base'],
    ['GPT-4-32k', 'cl100k_base'],
    ['gpt-3.5-turbo', 'cl100k_base'],
    ['gpt-35-turbo-16k', 'cl100k_base'],
    ['azure/eu/gpt-35-turbo', 'cl100k_base'],
    ['ft:gpt-3.5-turbo-0125:acme::abc', 'cl100k_base'],
    ['ft:gpt-4o-mini:acme::abc', 'o200k_base'],
    ['text-embedding-3-small', 'cl100k_base'],
    ['claude-sonnet-4-5', 'o200k_base'],
    ['llama3:8b', 'o200k_base'],
    ['__proto__', 'o200k_base'],
    ['', 'o200k_base'],
    [undefined, 'o200k_base'],
  ] as const)('counts %s with %s', (model, encoding) => {
    expect(encodingOf(model)).toBe(encoding);
  });

  it('does not work long on a hostile name', () => {
    expect(encodingOf('/'.repeat(1_000_000))).toBe('o200k_base');
  });
});
