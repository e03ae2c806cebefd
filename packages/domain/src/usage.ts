/**
 * How a usage is known, best first: the upstream `reported` it; Nexus `counted` the text that went by;
 * Nexus `estimated` it without the text (too large to count, or a body it cannot read); `none`: nothing was used.
 */
export type UsageSource = 'reported' | 'counted' | 'estimated' | 'none';

/** What an exchange really used, in tokens. All numbers are finite integers ≥ 0. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The part of `inputTokens` that the upstream read from its cache. */
  readonly cachedInputTokens: number;
  /** The part of `outputTokens` that was reasoning. */
  readonly reasoningTokens: number;
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
