import {
  type Admission,
  type BucketLimit,
  type BucketView,
  type Decision,
  type Demand,
  GatewayError,
  type OwnerLimits,
  type Reservation,
  type Settlement,
} from '@nexus/domain';
import { unitsAsked } from '../bucket.ts';
import { sizeOf } from '../limit-problem.ts';
import { MemoryLimiter } from '../memory-limiter.ts';
import type { LastSeen } from './last-seen.ts';
import { limitShare, ownerShare, type Share } from './share.ts';

/** How to decide while Redis is away: by this instance's part of each limit, not at all, or always yes. */
export type OnRedisFailure = 'local' | 'closed' | 'open';

/** What an owner used while Redis was away. */
interface Used {
  limits: OwnerLimits;
  /** Units by the bucket's name. */
  readonly units: Map<string, number>;
}

/** A request that was admitted here. */
interface Alone {
  readonly admission: Admission;
  hasEnded: boolean;
}

/** Redis may be back then; nothing better is known. */
const TRY_AGAIN_MS = 1_000;

/**
 * Decides in the place of Redis, and remembers what it let through, so that Redis can be told. One stands in for one outage. With `local`,
 * the parts of all instances together are the limits.
 */
export class StandIn {
  readonly #memory: MemoryLimiter;
  readonly #how: OnRedisFailure;
  readonly #share: Share;
  readonly #seen: LastSeen;
  readonly #shares = new Map<string, { readonly of: OwnerLimits; readonly limits: OwnerLimits }>();
  readonly #seeded = new Set<string>();
  readonly #used = new Map<string, Used>();
  readonly #alone = new Map<Reservation, Alone>();
  /** The slots that requests hold which Redis admitted. */
  readonly #slots = new Map<string, Reservation>();
  #count = 0;

  constructor(how: OnRedisFailure, share: Share, seen: LastSeen, leaseMs: number) {
    this.#how = how;
    this.#share = share;
    this.#seen = seen;
    this.#memory = new MemoryLimiter({ leaseMs });
  }

  /** Requests admitted here that haven't ended. */
  get open(): readonly { readonly admission: Admission; readonly reservation: Reservation }[] {
    return [...this.#alone].map(([reservation, { admission }]) => ({ reservation, admission }));
  }

  knows(reservation: Reservation): boolean {
    return this.#alone.has(reservation);
  }

  /** A request that Redis admitted goes on: it keeps its slots here. */
  async keepSlots(reservation: Reservation, owners: readonly OwnerLimits[]): Promise<void> {
    if (this.#how !== 'local') return;
    const slots = owners.map((limits) => ({
      ...this.#shareOf(limits),
      buckets: this.#shareOf(limits).buckets.filter(({ kind }) => kind === 'concurrency'),
    }));
    const { requests } = reservation.demand;
    const demand = { requests, inputTokens: 0, outputTokens: 0 };
    const requestId = `slot ${reservation.requestId}`;
    const decision = await this.#memory.admit({ requestId, owners: slots, demand });
    if (decision.admitted) this.#slots.set(reservation.requestId, decision.reservation);
  }

  /** A request that Redis admitted has ended. */
  async freeSlots(reservation: Reservation): Promise<void> {
    const held = this.#slots.get(reservation.requestId);
    if (!held) return;
    this.#slots.delete(reservation.requestId);
    await this.#memory.cancel(held);
  }

  /** @throws GatewayError `limiter_unavailable` where requests are refused meanwhile */
  async admit(admission: Admission, cause: unknown): Promise<Decision> {
    if (this.#how === 'closed') throw new GatewayError('limiter_unavailable', { cause });
    if (this.#how === 'open') return this.#admitUnchecked(admission);
    const owners: OwnerLimits[] = [];
    for (const limits of admission.owners) {
      await this.#seed(limits);
      owners.push(this.#shareOf(limits));
    }
    const decision = await this.#memory.admit({ ...admission, owners });
    const buckets = shown(decision.buckets, admission.owners);
    if (decision.admitted) {
      this.#take(admission, decision.reservation);
      return { ...decision, buckets };
    }
    const limit = original(decision.refusal.owner, decision.refusal.limit, admission.owners);
    const { requested } = decision.refusal;
    // A share may be too small for what the whole limit has room for.
    const isNever = decision.retryAfterMs === 'never' && requested > sizeOf(limit);
    const retryAfterMs = decision.retryAfterMs === 'never' && !isNever ? TRY_AGAIN_MS : decision.retryAfterMs;
    return { ...decision, refusal: { ...decision.refusal, limit }, retryAfterMs, buckets };
  }

  async settle(reservation: Reservation, used: Settlement): Promise<void> {
    const alone = this.#end(reservation);
    if (!alone) return;
    this.#use(alone.admission.owners, { requests: 0, ...used }, 1);
    await this.#memory.settle(reservation, used);
  }

  async cancel(reservation: Reservation): Promise<void> {
    const alone = this.#end(reservation);
    if (!alone) return;
    this.#use(alone.admission.owners, { ...alone.admission.demand, inputTokens: 0, outputTokens: 0 }, -1);
    await this.#memory.cancel(reservation);
  }

  async renew(reservations: readonly Reservation[]): Promise<void> {
    const own = reservations.filter((reservation) => this.#alone.has(reservation));
    const slots = reservations.flatMap(({ requestId }) => this.#slots.get(requestId) ?? []);
    await this.#memory.renew([...own, ...slots]);
  }

  async peek(owners: readonly OwnerLimits[]): Promise<readonly BucketView[]> {
    if (this.#how === 'local') for (const limits of owners) await this.#seed(limits);
    const views = await this.#memory.peek(owners.map((limits) => this.#shareOf(limits)));
    return shown(views, owners);
  }

  /**
   * What Redis must be told of each owner: units, one for each bucket. What a rate refilled here while it was used, Redis refilled too:
   * no more is charged than the share lacks to be full. Counting begins anew.
   */
  async takeUsed(): Promise<{ readonly limits: OwnerLimits; readonly units: readonly number[] }[]> {
    const all = [...this.#used.values()];
    this.#used.clear();
    const told: { readonly limits: OwnerLimits; readonly units: readonly number[] }[] = [];
    for (const { limits, units } of all) {
      const views = this.#how === 'local' ? await this.#memory.peek([this.#shareOf(limits)]) : [];
      told.push({
        limits,
        units: limits.buckets.map((limit, index) => {
          const used = Math.max(0, units.get(limit.name) ?? 0);
          if (limit.kind !== 'rate') return used;
          const view = views[index];
          return Math.min(used, view ? Math.max(0, view.size - view.available) : limit.burst);
        }),
      });
    }
    return told;
  }

  /** Redis has been told of the request: it ends there. */
  handOver(reservation: Reservation): void {
    this.#alone.delete(reservation);
  }

  close(): Promise<void> {
    return this.#memory.close();
  }

  #admitUnchecked(admission: Admission): Decision {
    const { requestId, demand } = admission;
    const reservation = { requestId, demand };
    this.#take(admission, reservation);
    return { admitted: true, reservation, buckets: [] };
  }

  #take(admission: Admission, reservation: Reservation): void {
    if (this.#alone.has(reservation)) return;
    this.#alone.set(reservation, { admission, hasEnded: false });
    const { demand, owners } = admission;
    this.#use(owners, { requests: demand.requests, inputTokens: 0, outputTokens: 0 }, 1);
  }

  #end(reservation: Reservation): Alone | undefined {
    const alone = this.#alone.get(reservation);
    if (!alone || alone.hasEnded) return undefined;
    alone.hasEnded = true;
    this.#alone.delete(reservation);
    return alone;
  }

  #use(owners: readonly OwnerLimits[], tokens: Demand, sign: 1 | -1): void {
    const names = new Set<string>();
    for (const limits of owners) {
      if (names.has(limits.owner)) continue;
      names.add(limits.owner);
      const used = this.#used.get(limits.owner) ?? { limits, units: new Map<string, number>() };
      used.limits = limits;
      this.#used.set(limits.owner, used);
      for (const limit of limits.buckets) {
        if (limit.kind === 'concurrency') continue;
        const units = unitsAsked(limit, tokens);
        used.units.set(limit.name, (used.units.get(limit.name) ?? 0) + sign * units);
      }
    }
  }

  #shareOf(limits: OwnerLimits): OwnerLimits {
    const known = this.#shares.get(limits.owner);
    if (known && known.of === limits) return known.limits;
    const share = ownerShare(limits, this.#share);
    this.#shares.set(limits.owner, { of: limits, limits: share });
    return share;
  }

  /** Lets an owner begin with its share of what was last seen, not with a full one. */
  async #seed(limits: OwnerLimits): Promise<void> {
    const { owner } = limits;
    if (this.#seeded.has(owner)) return;
    this.#seeded.add(owner);
    const available = this.#seen.available(limits);
    for (const [index, limit] of limits.buckets.entries()) {
      const seen = available[index];
      if (seen === undefined || limit.kind === 'concurrency') continue;
      const share = limitShare(limit, this.#share);
      const missing = sizeOf(share) - Math.floor(seen / this.#share.count);
      if (missing > 0) await this.#spend(owner, share, missing);
    }
  }

  /** Takes units from one bucket, beyond what is there if need be. */
  async #spend(owner: string, limit: BucketLimit, units: number): Promise<void> {
    if (limit.kind === 'concurrency' || sizeOf(limit) === 0) return;
    const isCharged = limit.counts === 'requests';
    const requests = isCharged ? Math.min(units, sizeOf(limit)) : 0;
    const demand = { requests, inputTokens: 0, outputTokens: 0 };
    this.#count += 1;
    const requestId = `seed ${this.#count}`;
    const owners = [{ owner, buckets: [limit], sizes: [] }];
    const decision = await this.#memory.admit({ requestId, owners, demand });
    if (!decision.admitted) return;
    const isOutput = limit.counts === 'output_tokens';
    await this.#memory.settle(decision.reservation, {
      inputTokens: isCharged || isOutput ? 0 : units,
      outputTokens: isOutput ? units : 0,
    });
  }
}

/** Views of shares with the limits as they are configured. */
function shown(views: readonly BucketView[], owners: readonly OwnerLimits[]): BucketView[] {
  return views.map((view) => ({ ...view, limit: original(view.owner, view.limit, owners) }));
}

function original(owner: string, limit: BucketLimit, owners: readonly OwnerLimits[]): BucketLimit {
  const own = owners.find((limits) => limits.owner === owner);
  return own?.buckets.find(({ name, kind }) => name === limit.name && kind === limit.kind) ?? limit;
}
