import type { BucketView } from '@nexus/domain';
import { NONE, ownerKind, periodOf } from './label-values.ts';

/** How full a limit is that many keys share. */
export interface LimitFill {
  readonly ownerKind: string;
  readonly owner: string;
  readonly limit: string;
  readonly period: string;
  size: number;
  used: number;
}

interface Seen extends LimitFill {
  readonly refills: boolean;
  atMs: number;
  untilFullMs: number;
}

/** More than any configuration has; whatever comes beyond isn't shown. */
const MOST_LIMITS = 5_000;
/** What nobody has used for so long may have gone from the configuration. */
const FORGET_MS = 24 * 3_600_000;

/**
 * How full the limits are that requests have met, of owners that the configuration names: the gateway, models, teams, features. Keys
 * and customers are too many, and slots say too little once a request has ended.
 */
export class LimitFills {
  readonly #seen = new Map<string, Map<string, Seen>>();
  #count = 0;

  /** Takes over what a decision showed at `nowMs`, by any clock that never jumps. */
  learn(views: readonly BucketView[], nowMs: number): void {
    for (const view of views) {
      const { owner, limit } = view;
      if (limit.kind === 'concurrency' || isPersonal(owner)) continue;
      let limits = this.#seen.get(owner);
      if (limits === undefined) {
        if (this.#count >= MOST_LIMITS) continue;
        limits = new Map();
        this.#seen.set(owner, limits);
      }
      const known = limits.get(limit.name);
      if (known === undefined) {
        if (this.#count >= MOST_LIMITS) continue;
        this.#count += 1;
        limits.set(limit.name, newlySeen(view, nowMs));
        continue;
      }
      known.size = view.size;
      known.used = view.size - view.available;
      known.untilFullMs = view.untilFullMs;
      known.atMs = nowMs;
    }
  }

  /** All of them at `nowMs`: what refills has refilled since, and a window that is over has nothing used. */
  *at(nowMs: number): Iterable<LimitFill> {
    for (const [owner, limits] of this.#seen) {
      for (const [name, seen] of limits) {
        const passedMs = nowMs - seen.atMs;
        if (passedMs > Math.max(FORGET_MS, seen.untilFullMs)) {
          limits.delete(name);
          this.#count -= 1;
        } else yield { ...seen, used: usedAfter(seen, passedMs) };
      }
      if (limits.size === 0) this.#seen.delete(owner);
    }
  }
}

/** Whether an owner is no more than a key or a customer, or of a kind that isn't known. */
function isPersonal(owner: string): boolean {
  return !(
    owner === 'gateway' ||
    owner.startsWith('team:') ||
    owner.startsWith('model:') ||
    owner.startsWith('feature:')
  );
}

function newlySeen({ owner, limit, size, available, untilFullMs }: BucketView, atMs: number): Seen {
  return {
    ownerKind: ownerKind(owner),
    owner,
    limit: limit.name,
    period: limit.kind === 'concurrency' ? NONE : periodOf(limit.name),
    refills: limit.kind === 'rate',
    size,
    used: size - available,
    atMs,
    untilFullMs,
  };
}

function usedAfter({ refills, used, untilFullMs }: Seen, passedMs: number): number {
  if (passedMs >= untilFullMs) return 0;
  return refills ? Math.max(0, used * (1 - passedMs / untilFullMs)) : used;
}
