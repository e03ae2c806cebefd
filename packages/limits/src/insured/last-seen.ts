import type { BucketView, OwnerLimits } from '@nexus/domain';

interface Seen {
  readonly views: readonly BucketView[];
  readonly atMs: number;
}

const MAX_OWNERS = 100_000;

/** What was last seen of each owner's buckets, to go on from when Redis is away. The latest 100,000 new owners are remembered. */
export class LastSeen {
  readonly #steadyMs: () => number;
  readonly #owners = new Map<string, Seen>();

  constructor(steadyMs: () => number) {
    this.#steadyMs = steadyMs;
  }

  /** Takes over what a decision shows. */
  learn(owners: readonly OwnerLimits[], views: readonly BucketView[]): void {
    const seen = { views, atMs: this.#steadyMs() };
    for (const { owner } of owners) {
      this.#owners.set(owner, seen);
      if (this.#owners.size > MAX_OWNERS) this.#forgetOldest();
    }
  }

  /** Units that are available in each bucket if nobody has taken any since; undefined where the bucket was never seen. */
  available({ owner, buckets }: OwnerLimits): (number | undefined)[] {
    const seen = this.#owners.get(owner);
    return buckets.map((limit) => {
      const view = seen?.views.find((other) => other.owner === owner && other.limit.name === limit.name);
      if (!seen || !view) return undefined;
      if (limit.kind !== 'rate') return view.available;
      const passedMs = this.#steadyMs() - seen.atMs;
      return Math.min(view.size, view.available + Math.floor((passedMs * limit.amount) / limit.periodMs));
    });
  }

  #forgetOldest(): void {
    for (const owner of this.#owners.keys()) {
      this.#owners.delete(owner);
      return;
    }
  }
}
