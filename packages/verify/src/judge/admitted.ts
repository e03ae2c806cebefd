import type { BucketView, Counted } from '@nexus/domain';
import type { Call } from '../call.ts';
import { isOfModel } from '../listed-limits.ts';
import type { Phase, RunRecord } from '../run-record.ts';

/** What a call that was let through took of a limit, in its units; money is not known, and is 0. */
export function unitsOf({ usage }: Call, counts: Counted): number {
  if (counts === 'requests') return 1;
  if (usage === undefined || counts === 'usd') return 0;
  if (counts === 'input_tokens') return usage.inputTokens;
  return counts === 'output_tokens' ? usage.outputTokens : usage.inputTokens + usage.outputTokens;
}

/** Calls that certainly passed a limit: those of a model's limit only where they were calls of the model. */
export function admittedUnder(view: Pick<BucketView, 'owner'>, phases: readonly Phase[]): Call[] {
  return phases
    .filter(({ ask }) => ask !== 'list' || !isOfModel(view))
    .flatMap(({ calls }) => calls.filter(({ outcome }) => outcome === 'admitted'));
}

/** How many refusals of a phase name a limit. */
export function refusedBy({ calls }: Phase, limit: string): number {
  return calls.filter(({ refusal }) => refusal?.limit === limit).length;
}

/** Why a limit never refused, in words. */
export function barredBy(limit: string, { phases }: RunRecord): string {
  const phase = phases.find(({ limits }) => limits.includes(limit));
  const names = new Set(phase?.calls.flatMap(({ refusal }) => refusal?.limit ?? []));
  if (names.size > 0) return `${[...names].join(', ')} refused before it did`;
  return phase === undefined ? 'nothing tried to reach it' : 'nothing was refused';
}
