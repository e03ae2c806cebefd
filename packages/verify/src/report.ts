import type { Window } from './judge/windows.ts';

/**
 * - `held`: it refused, and what it let through kept its bound in every window;
 * - `broken`: in some window more was let through than it allows, for certain;
 * - `not reached`: it kept its bound, but another limit refused before it did;
 * - `not driven`: it kept its bound, and nothing tried to break it;
 * - `counted`, `miscounted`: of a day or month: whether everything let through was counted.
 */
export type LimitState = 'held' | 'broken' | 'not reached' | 'not driven' | 'counted' | 'miscounted';

/** One line of the table. */
export interface LimitRow {
  /** `key:search-prod/requests_per_second`. */
  readonly limit: string;
  /** What it promises, in words: `10 a second, burst 20`. */
  readonly promise: string;
  readonly state: LimitState;
  /** Units that it allowed while it was driven; absent where it was not. */
  readonly allowed?: number;
  /** Units that it let through then. */
  readonly through?: number;
  /** `through / allowed`. */
  readonly usedShare?: number;
  /** The worst of all windows of the whole run; `over` above 0 breaks the bound. Of slots, a time with the most held at once. */
  readonly worst?: Window;
  /** Less than 99 % of what an exact limiter would have let through of the same calls. */
  readonly isUnderUsed: boolean;
  readonly note?: string;
}

/** How many of something, with an example's words. */
export interface Counted {
  readonly what: string;
  readonly count: number;
}

export interface PlaceShare {
  readonly url: string;
  readonly sent: number;
  readonly admitted: number;
  readonly refused: number;
  readonly other: number;
}

/** The outcome of a run, ready for JSON. It never holds the key. */
export interface Report {
  readonly url: string;
  readonly key: string;
  readonly limits: readonly LimitRow[];
  readonly places: readonly PlaceShare[];
  /** Tokens that the answers reported. */
  readonly tokens: number;
  /** What is wrong with refusals, and with how many. */
  readonly refusals: { readonly seen: number; readonly problems: readonly Counted[] };
  readonly waits: readonly {
    readonly limit?: string;
    readonly waitMs?: number;
    readonly result: string;
    readonly why?: string;
  }[];
  readonly disagreements: readonly string[];
  /** What the instances say of themselves that explains the rest. */
  readonly notes: readonly string[];
  /** Calls that were neither let through nor refused by Nexus. */
  readonly others: readonly Counted[];
  /** One sentence. */
  readonly verdict: string;
  readonly exitCode: 0 | 1;
}
