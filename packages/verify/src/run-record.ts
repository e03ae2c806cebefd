import type { Call } from './call.ts';
import type { Load } from './drive/plan.ts';
import type { ToldWait } from './drive/told-wait.ts';
import type { ListedLimits } from './listed-limits.ts';

/** Calls of one kind that were sent together. */
export interface Phase {
  readonly title: string;
  readonly ask: Load['ask'] | 'stream';
  /** Full names of the limits that it was to reach; empty for calls by the way. */
  readonly limits: readonly string[];
  /** Tokens that one call asks for, about. */
  readonly tokensACall: number;
  /** What the key's limits were just before. */
  readonly start: ListedLimits;
  readonly calls: readonly Call[];
}

/** All that a run saw: what the judgement stands on, and nothing else. */
export interface RunRecord {
  readonly urls: readonly string[];
  /** Places that were driven. */
  readonly places: readonly number[];
  readonly before: ListedLimits;
  readonly after: ListedLimits;
  readonly phases: readonly Phase[];
  /** Why a limit was not driven, by its full name. */
  readonly left: ReadonlyMap<string, string>;
  readonly waits: readonly ToldWait[];
  /** What the instances say of themselves that explains the rest. */
  readonly notes: readonly string[];
  /** What instances say differently. */
  readonly disagreements: readonly string[];
}
