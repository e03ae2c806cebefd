import type { BucketLimit, Demand, OwnerLimits } from '@nexus/domain';
import { unitsAsked } from '../bucket.ts';
import { windowAt } from '../calendar.ts';
import { LARGEST } from '../limit-problem.ts';

/** Units used of one bucket. */
interface Used {
  units: number;
  /** The calendar's window that they belong to; 0 for a rate. */
  window: number;
}

/** What an owner used while Redis was away: units, one for each of its buckets. */
export interface OwnerUsed {
  readonly limits: OwnerLimits;
  readonly units: readonly number[];
}

/** What each owner used while Redis was away, so that Redis can be told. Slots are not used up. */
export class UsedAway {
  readonly #nowMs: () => number;
  #owners = new Map<string, { limits: OwnerLimits; readonly used: Map<string, Used> }>();

  /** @param nowMs Redis' clock, as far as it is known */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(owners: readonly OwnerLimits[], tokens: Demand): void {
    this.#change(owners, tokens, 1);
  }

  takeBack(owners: readonly OwnerLimits[], tokens: Demand): void {
    this.#change(owners, tokens, -1);
  }

  /** All of it, without what was used in windows that are over. Counting begins anew. */
  take(): OwnerUsed[] {
    const owners = [...this.#owners.values()];
    this.#owners = new Map();
    return owners.map(({ limits, used }) => ({
      limits,
      units: limits.buckets.map((limit) => {
        const known = used.get(limit.name);
        return known && known.window === this.#windowOf(limit) ? Math.max(0, known.units) : 0;
      }),
    }));
  }

  #change(owners: readonly OwnerLimits[], tokens: Demand, sign: 1 | -1): void {
    const names = new Set<string>();
    for (const limits of owners) {
      if (names.has(limits.owner)) continue;
      names.add(limits.owner);
      const own = this.#owners.get(limits.owner) ?? { limits, used: new Map<string, Used>() };
      own.limits = limits;
      this.#owners.set(limits.owner, own);
      for (const limit of limits.buckets) {
        if (limit.kind === 'concurrency') continue;
        const window = this.#windowOf(limit);
        const known = own.used.get(limit.name);
        const isSame = known?.window === window;
        // What is given back of a window that is over is over, too.
        if (sign < 0 && !isSame) continue;
        const before = isSame ? known.units : 0;
        own.used.set(limit.name, { units: before + sign * unitsOf(limit, tokens), window });
      }
    }
  }

  #windowOf(limit: BucketLimit): number {
    return limit.kind === 'calendar' ? windowAt(limit.timeZone, limit.period, this.#nowMs()) : 0;
  }
}

/** Tokens as somebody else reported them: what isn't a number above 0 is none. */
function unitsOf(limit: BucketLimit, tokens: Demand): number {
  const { inputTokens, outputTokens } = tokens;
  return whole(
    unitsAsked(limit, { ...tokens, inputTokens: whole(inputTokens), outputTokens: whole(outputTokens) }),
  );
}

function whole(units: number): number {
  return units > 0 ? Math.min(Math.ceil(units), LARGEST) : 0;
}

/** What Redis is to be told, of which some goes with the requests that are still open. */
export class Owed {
  readonly #owners = new Map<string, { readonly limits: OwnerLimits; readonly units: number[] }>();

  constructor(used: readonly OwnerUsed[]) {
    for (const { limits, units } of used) this.#owners.set(limits.owner, { limits, units: [...units] });
  }

  /** Takes off what a request was charged; false: not as much is owed. */
  takeOff(owner: string, limit: BucketLimit, units: number): boolean {
    const own = this.#owners.get(owner);
    const index = own?.limits.buckets.findIndex(
      ({ kind, name }) => kind === limit.kind && name === limit.name,
    );
    const left = own && index !== undefined ? own.units[index] : undefined;
    if (!own || index === undefined || left === undefined || left < units) return false;
    own.units[index] = left - units;
    return true;
  }

  rest(): readonly OwnerUsed[] {
    return [...this.#owners.values()];
  }
}
