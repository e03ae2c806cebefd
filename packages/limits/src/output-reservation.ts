import type { BucketLimit, OwnerLimits, SizeLimit } from '@nexus/domain';
import { sizeOf } from './limit-problem.ts';

/** What is known of a call's output before it is made. */
export interface OutputExpectation {
  /** `learned` holds what answers were so far, `strict` the most that the call allows. */
  readonly policy: 'learned' | 'strict';
  /** The call's own ceiling for one choice (`max_tokens` and the like), if it states one. */
  readonly statedOutputTokens: number | undefined;
  /** How many answers the call asks for (`n`). */
  readonly choices: number;
  /** What `LearnedOutput.expect` says of one choice. */
  readonly learnedTokens: number;
  readonly inputTokens: number;
  /** Everyone whose buckets the call is charged to. */
  readonly owners: readonly OwnerLimits[];
}

/**
 * Output tokens to hold for a call: a finite integer ≥ 0.
 *
 * - `learned`: the learned tokens of every choice, or what the call states if that is less; never more than the smallest
 *   token bucket holds beside the input, so that a small key's first call is not refused as too large.
 * - `strict`: what the call states, even where it can never fit; where it states nothing, all that the smallest token
 *   bucket holds beside the input. With no token bucket at all there is nothing to protect: as `learned`.
 */
export function outputToReserve(call: OutputExpectation): number {
  const choices = Math.max(1, count(call.choices));
  const stated = statedTokens(call.statedOutputTokens, choices);
  const room = roomForOutput(call.owners, count(call.inputTokens));
  if (call.policy === 'strict') {
    if (stated !== undefined) return stated;
    if (room !== undefined) return room;
  }
  const learned = bounded(count(call.learnedTokens) * choices);
  return Math.min(learned, stated ?? learned, room ?? learned);
}

/** A call before the limits on one call by itself. */
export interface CallSize {
  readonly owners: readonly OwnerLimits[];
  readonly inputTokens: number;
  readonly statedOutputTokens: number | undefined;
  readonly choices: number;
  /** What `outputToReserve` said. */
  readonly reservedOutputTokens: number;
}

/** A call that is larger than one call may be. */
export interface SizeRefusal {
  readonly owner: string;
  readonly limit: SizeLimit;
  /** Tokens that the call asks for, as the limit counts them. */
  readonly requested: number;
}

/**
 * The first limit on a single call that this one exceeds, if any. `max_request_tokens` looks at the input with the stated
 * output (the reserved one where none is stated), `max_output_tokens` at the stated output alone: a call that states
 * none passes it.
 */
export function sizeRefusal(call: CallSize): SizeRefusal | undefined {
  const stated = statedTokens(call.statedOutputTokens, Math.max(1, count(call.choices)));
  const whole = bounded(count(call.inputTokens) + (stated ?? count(call.reservedOutputTokens)));
  for (const { owner, sizes } of call.owners)
    for (const limit of sizes) {
      const requested = limit.name === 'max_request_tokens' ? whole : stated;
      if (requested !== undefined && requested > limit.amount) return { owner, limit, requested };
    }
  return undefined;
}

function statedTokens(statedOutputTokens: number | undefined, choices: number): number | undefined {
  return statedOutputTokens === undefined ? undefined : bounded(count(statedOutputTokens) * choices);
}

/** The most output that every token bucket could hold beside the input; undefined: no bucket counts output. */
function roomForOutput(owners: readonly OwnerLimits[], inputTokens: number): number | undefined {
  let room: number | undefined;
  for (const { buckets } of owners)
    for (const limit of buckets) {
      const here = roomIn(limit, inputTokens);
      if (here !== undefined && (room === undefined || here < room)) room = here;
    }
  return room;
}

function roomIn(limit: BucketLimit, inputTokens: number): number | undefined {
  if (limit.kind === 'concurrency') return undefined;
  if (limit.counts === 'model_tokens') return Math.max(0, sizeOf(limit) - inputTokens);
  return limit.counts === 'output_tokens' ? sizeOf(limit) : undefined;
}

/** Whatever a client wrote, as a number of things: NaN and less than 0 are none, a fraction is rounded up. */
function count(value: number): number {
  return value > 0 ? bounded(Math.ceil(value)) : 0;
}

function bounded(value: number): number {
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}
