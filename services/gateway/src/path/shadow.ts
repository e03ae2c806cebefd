import type { Demand, Limiter, OwnerLimits, Reservation, Settlement } from '@nexus/domain';

/** Limits that are tried on a request, and never refuse it. */
export interface Shadows {
  /** What was taken of those that had room. */
  readonly reservations: readonly Reservation[];
  /** The names of those that would have refused, as `team:search/usd_per_month`. */
  readonly refused: readonly string[];
}

/** A request's tries, under way beside it; they delay nothing and never reject. */
export class ShadowTrial {
  readonly #limiter: Limiter;
  readonly #outcome: Promise<Shadows>;
  #reservations: readonly Reservation[] = [];

  /**
   * Tries each shadow limit of the owners by itself: one that has no room takes nothing, and the others go on. Its bucket belongs to an owner of its own, so
   * that a limit begins with a full one when it is no shadow any more.
   * @returns undefined where no limit is a shadow
   */
  static begin(
    limiter: Limiter,
    requestId: string,
    owners: readonly OwnerLimits[],
    demand: Demand,
  ): ShadowTrial | undefined {
    return owners.some(({ shadows }) => shadows !== undefined)
      ? new ShadowTrial(limiter, requestId, owners, demand)
      : undefined;
  }

  private constructor(limiter: Limiter, requestId: string, owners: readonly OwnerLimits[], demand: Demand) {
    this.#limiter = limiter;
    this.#outcome = this.#tryAll(requestId, owners, demand);
  }

  /** What is held so far, for renewals. */
  get reservations(): readonly Reservation[] {
    return this.#reservations;
  }

  /** Ends the trial as the request ended: settled with what was used, or `undefined`: given back. Resolves with the names that would have refused. */
  async end(used: Settlement | undefined): Promise<readonly string[]> {
    const { reservations, refused } = await this.#outcome;
    for (const reservation of reservations)
      await (used ? this.#limiter.settle(reservation, used) : this.#limiter.cancel(reservation)).catch(
        () => {},
      );
    return refused;
  }

  async #tryAll(requestId: string, owners: readonly OwnerLimits[], demand: Demand): Promise<Shadows> {
    const tried = owners.flatMap(({ owner, shadows = [] }) =>
      shadows.map(async (limit, index) => {
        const name = `${owner}/${limit.name}`;
        const { inputTokens, outputTokens } = demand;
        if (limit.kind === 'size') {
          const asked = limit.name === 'max_output_tokens' ? outputTokens : inputTokens + outputTokens;
          return asked > limit.amount ? { name } : {};
        }
        const decision = await this.#limiter.admit({
          requestId: `${requestId}~${owner}~${index}`,
          owners: [{ owner: `shadow:${owner}`, buckets: [limit], sizes: [] }],
          demand,
          maxWaitMs: 0,
        });
        return decision.admitted ? { reservation: decision.reservation } : { name };
      }),
    );
    const outcomes = (await Promise.allSettled(tried)).flatMap((one) =>
      one.status === 'fulfilled' ? [one.value] : [],
    );
    this.#reservations = outcomes.flatMap((one) => ('reservation' in one ? [one.reservation] : []));
    return {
      reservations: this.#reservations,
      refused: outcomes.flatMap((one) => ('name' in one ? [one.name] : [])),
    };
  }
}
