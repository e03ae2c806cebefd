import type { BucketLimit, BucketView, OwnerLimits } from '@nexus/domain';
import { windowAt } from '../calendar.ts';

interface Seen {
  readonly views: readonly BucketView[];
  /** By Redis' clock. */
  readonly atMs: number;
}

const MAX_OWNERS = 100_000;

/** What was last seen of each owner's buckets, to go on from when Redis is away. The latest 100,000 new owners are remembered. */
export class LastSeen {
  readonly #owners = new Map<string, Seen>();

  /** Takes over what a decision shows that came at `nowMs`, by Redis' clock. */
  learn(owners: readonly OwnerLimits[], views: readonly BucketView[], nowMs: number): void {
    const seen = { views, atMs: nowMs };
    for (const { owner } of owners) {
      this.#owners.set(owner, seen);
      if (this.#owners.size > MAX_OWNERS) this.#forgetOldest();
    }
  }

  /**
   * Units that are available in a bucket if nobody has taken any since; undefined: it was never seen, or a new window of the calendar
   * has begun since.
   */
  available(owner: string, limit: BucketLimit, nowMs: number): number | undefined {
    const seen = this.#owners.get(owner);
    const view = seen?.views.find((other) => other.owner === owner && isSame(other.limit, limit));
    if (!seen || !view) return undefined;
    if (limit.kind === 'concurrency') return view.available;
    if (limit.kind === 'calendar') {
      const { timeZone, period } = limit;
      const isOver = windowAt(timeZone, period, seen.atMs) !== windowAt(timeZone, period, nowMs);
      return isOver ? undefined : view.available;
    }
    const passedMs = Math.max(0, nowMs - seen.atMs);
    return Math.min(view.size, view.available + Math.floor((passedMs * limit.amount) / limit.periodMs));
  }

  #forgetOldest(): void {
    for (const owner of this.#owners.keys()) {
      this.#owners.delete(owner);
      return;
    }
  }
}

function isSame(limit: BucketLimit, other: BucketLimit): boolean {
  return limit.kind === other.kind && limit.name === other.name;
}
