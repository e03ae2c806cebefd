/**
 * How a usage is known, best first: the upstream `reported` it; Nexus `counted` the text that went by;
 * Nexus `estimated` it without the text (too large to count, or a body it cannot read); `none`: nothing was used.
 */
export type UsageSource = 'reported' | 'counted' | 'estimated' | 'none';

/** Parts of the input that have prices of their own. All numbers are finite integers ≥ 0. */
export interface InputParts {
  /** Written to the upstream's cache; none of it was read from there. */
  readonly cacheWriteTokens: number;
  /** The part of `cacheWriteTokens` that is to stay for an hour. */
  readonly cacheWrite1hTokens: number;
  readonly audioTokens: number;
  /** The part of `audioTokens` that was read from the cache, where it is said. */
  readonly cachedAudioTokens: number;
  readonly imageTokens: number;
  /** The part of `imageTokens` that was read from the cache, where it is said. */
  readonly cachedImageTokens: number;
}

/** Parts of the output that have prices of their own. All numbers are finite integers ≥ 0. */
export interface OutputParts {
  readonly audioTokens: number;
  readonly imageTokens: number;
  /** Searches that the upstream ran for the answer; these are no tokens. */
  readonly webSearches: number;
}

/** What an exchange really used, in tokens. All numbers are finite integers ≥ 0. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The part of `inputTokens` that the upstream read from its cache. */
  readonly cachedInputTokens: number;
  /** The part of `outputTokens` that was reasoning. */
  readonly reasoningTokens: number;
  /** Absent where the upstream told of none. */
  readonly inputParts?: InputParts | undefined;
  /** Absent where the upstream told of none. */
  readonly outputParts?: OutputParts | undefined;
  readonly source: UsageSource;
}

/** The usage of an exchange that cost nothing. */
export const NO_USAGE: Usage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  source: 'none',
});
