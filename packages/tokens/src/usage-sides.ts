import { NO_USAGE, type Usage, type UsageSource } from '@nexus/domain';
import type { ReportedUsage } from './usage-report.ts';

/** One side of a usage and how it is known. */
export interface Side {
  readonly tokens: number;
  readonly source: UsageSource;
}

const WORSE: readonly UsageSource[] = ['reported', 'counted', 'estimated'];
const REPORTED: UsageSource = 'reported';

/**
 * The usage out of what was reported and, for the sides that were not, what Nexus knows itself. Its source is
 * that of the side known worst; a side that can only be 0 comes in as `reported`.
 */
export function joinSides(reported: ReportedUsage | undefined, input: Side, output: Side): Usage {
  if (reported === undefined && input.tokens === 0 && output.tokens === 0) return NO_USAGE;
  const inputSource = reported?.inputTokens === undefined ? input.source : REPORTED;
  const outputSource = reported?.outputTokens === undefined ? output.source : REPORTED;
  return {
    inputTokens: reported?.inputTokens ?? input.tokens,
    outputTokens: reported?.outputTokens ?? output.tokens,
    cachedInputTokens: reported?.cachedInputTokens ?? 0,
    reasoningTokens: reported?.reasoningTokens ?? 0,
    inputParts: reported?.inputParts,
    outputParts: reported?.outputParts,
    source: worse(inputSource, outputSource),
  };
}

function worse(one: UsageSource, other: UsageSource): UsageSource {
  return one === other ? one : (WORSE[Math.max(WORSE.indexOf(one), WORSE.indexOf(other))] ?? 'none');
}
