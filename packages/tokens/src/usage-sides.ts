import { NO_USAGE, type Usage, type UsageSource } from '@nexus/domain';
import type { ReportedUsage } from './usage-report.ts';

/** One side of a usage and how it is known. */
export interface Side {
  readonly tokens: number;
  readonly source: UsageSource;
}

const WORSE: readonly UsageSource[] = ['reported', 'counted', 'estimated'];

/**
 * The usage out of what was reported and, for the sides that were not, what Nexus knows itself. Its source is
 * that of the side known worst; a side that can only be 0 comes in as `reported`.
 */
export function joinSides(reported: ReportedUsage | undefined, input: Side, output: Side): Usage {
  if (reported === undefined && input.tokens === 0 && output.tokens === 0) return NO_USAGE;
  const inputSide: Side =
    reported?.inputTokens === undefined ? input : { tokens: reported.inputTokens, source: 'reported' };
  const outputSide: Side =
    reported?.outputTokens === undefined ? output : { tokens: reported.outputTokens, source: 'reported' };
  const worst = Math.max(WORSE.indexOf(inputSide.source), WORSE.indexOf(outputSide.source));
  return {
    inputTokens: inputSide.tokens,
    outputTokens: outputSide.tokens,
    cachedInputTokens: reported?.cachedInputTokens ?? 0,
    reasoningTokens: reported?.reasoningTokens ?? 0,
    source: WORSE[worst] ?? 'none',
  };
}
