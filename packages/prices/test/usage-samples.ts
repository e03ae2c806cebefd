import type { InputParts, OutputParts, Usage } from '@nexus/domain';
import fc from 'fast-check';

/** A reported usage; what isn't given is 0. */
export function usage(given: Partial<Usage>): Usage {
  return {
    inputTokens: 0,
    outputTokens: 0,
    cachedInputTokens: 0,
    reasoningTokens: 0,
    source: 'reported',
    ...given,
  };
}

export function inputParts(given: Partial<InputParts>): InputParts {
  return {
    cacheWriteTokens: 0,
    cacheWrite1hTokens: 0,
    audioTokens: 0,
    cachedAudioTokens: 0,
    imageTokens: 0,
    cachedImageTokens: 0,
    ...given,
  };
}

export function outputParts(given: Partial<OutputParts>): OutputParts {
  return { audioTokens: 0, imageTokens: 0, webSearches: 0, ...given };
}

/** Any usage, parts that contradict their wholes included. */
export function anyUsage(mostTokens: number): fc.Arbitrary<Usage> {
  const tokens = fc
    .oneof(
      fc.nat({ max: mostTokens }),
      fc.constantFrom(0, 1, 271_999, 272_000, 999_999, 1_000_000, 1_000_001, mostTokens),
    )
    .map((n) => Math.min(n, mostTokens));
  const inputs = fc.record({
    cacheWriteTokens: tokens,
    cacheWrite1hTokens: tokens,
    audioTokens: tokens,
    cachedAudioTokens: tokens,
    imageTokens: tokens,
    cachedImageTokens: tokens,
  });
  const outputs = fc.record({
    audioTokens: tokens,
    imageTokens: tokens,
    webSearches: fc.nat({ max: 10_000 }),
  });
  return fc.record({
    inputTokens: tokens,
    outputTokens: tokens,
    cachedInputTokens: tokens,
    reasoningTokens: tokens,
    inputParts: fc.option(inputs, { nil: undefined }),
    outputParts: fc.option(outputs, { nil: undefined }),
    source: fc.constantFrom('reported', 'counted', 'estimated'),
  });
}
