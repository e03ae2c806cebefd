import {
  type Admission,
  type BucketLimit,
  type BucketView,
  type Decision,
  type Denied,
  GatewayError,
  type OwnerLimits,
  type Reservation,
  type Settlement,
} from '@nexus/domain';
import { unitsAsked } from '../bucket.ts';
import { sizeOf } from '../limit-problem.ts';
import { MemoryLimiter } from '../memory-limiter.ts';
import type { LastSeen } from './last-seen.ts';
import { type OnRedisFailureByClass, wordFor } from './on-redis-failure.ts';
import { limitShare, type Share, withoutBound } from './share.ts';
import { type OwnerUsed, UsedAway } from './used-away.ts';

export interface StandInOptions {
  readonly words: OnRedisFailureByClass;
  readonly share: Share;
  readonly seen: LastSeen;
  readonly leaseMs: number;
  /** Redis' clock, as far as it is known. It must not jump. */
  readonly nowMs: () => number;
}

/** Redis may be back then; nothing better is known. */
const TRY_AGAIN_MS = 1_000;

/**
 * Decides in the place of Redis, each limit by its word, and remembers what it let through, so that Redis can be told. One stands in for
 * one outage. Of `local` limits the parts of all instances together are the limits. A rate that was never seen begins with its whole
 * part; a window of the calendar is never taken for full: where nobody has seen it, it has nothing.
 */
export class StandIn {
  readonly #memory: MemoryLimiter;
  readonly #options: StandInOptions;
  /** An owner's limits as they are decided here. */
  readonly #stood = new Map<string, { readonly of: OwnerLimits; readonly limits: OwnerLimits }>();
  /** What was available of each whole limit when this began. */
  readonly #begun = new Map<string, number>();
  readonly #used: UsedAway;
  /** Requests that were admitted here. */
  readonly #alone = new Map<Reservation, Admission>();
  /** The slots that requests hold which Redis admitted. */
  readonly #slots = new Map<string, Reservation>();
  #count = 0;

  constructor(options: StandInOptions) {
    this.#options = options;
    this.#memory = new MemoryLimiter({ leaseMs: options.leaseMs, clock: options.nowMs });
    this.#used = new UsedAway(options.nowMs);
  }

  /** Requests admitted here that haven't ended. */
  get open(): readonly { readonly admission: Admission; readonly reservation: Reservation }[] {
    return [...this.#alone].map(([reservation, admission]) => ({ reservation, admission }));
  }

  knows(reservation: Reservation): boolean {
    return this.#alone.has(reservation);
  }

  /** A request that Redis admitted goes on: it keeps its slots here. */
  async keepSlots(reservation: Reservation, owners: readonly OwnerLimits[]): Promise<void> {
    const slots = owners.map((limits) => ({
      ...limits,
      buckets: this.#standFor(limits).buckets.filter(({ kind }) => kind === 'concurrency'),
    }));
    const demand = { requests: reservation.demand.requests, inputTokens: 0, outputTokens: 0 };
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

  /** @throws GatewayError `limiter_unavailable` where nobody can say yes or no without Redis */
  async admit(admission: Admission, cause: unknown): Promise<Decision> {
    this.#checkKnown(admission, cause);
    const owners: OwnerLimits[] = [];
    for (const limits of admission.owners) {
      await this.#begin(limits);
      owners.push(this.#standFor(limits));
    }
    const decision = await this.#memory.admit({ ...admission, owners });
    const buckets = this.#shown(decision.buckets, admission.owners);
    if (!decision.admitted) return { ...this.#denial(decision, admission.owners, cause), buckets };
    this.#take(admission, decision.reservation);
    return { ...decision, buckets };
  }

  async settle(reservation: Reservation, used: Settlement): Promise<void> {
    const admission = this.#end(reservation);
    if (!admission) return;
    this.#used.add(admission.owners, { requests: 0, ...used });
    await this.#memory.settle(reservation, used);
  }

  async cancel(reservation: Reservation): Promise<void> {
    const admission = this.#end(reservation);
    if (!admission) return;
    this.#used.takeBack(admission.owners, {
      requests: admission.demand.requests,
      inputTokens: 0,
      outputTokens: 0,
    });
    await this.#memory.cancel(reservation);
  }

  async renew(reservations: readonly Reservation[]): Promise<void> {
    const own = reservations.filter((reservation) => this.#alone.has(reservation));
    const slots = reservations.flatMap(({ requestId }) => this.#slots.get(requestId) ?? []);
    await this.#memory.renew([...own, ...slots]);
  }

  async peek(owners: readonly OwnerLimits[]): Promise<readonly BucketView[]> {
    for (const limits of owners) await this.#begin(limits);
    const views = await this.#memory.peek(owners.map((limits) => this.#standFor(limits)));
    return this.#shown(views, owners);
  }

  /**
   * What Redis must be told of each owner. What a rate refilled here while it was used, Redis refilled too: no more is charged than the
   * bucket lacks to be full. Counting begins anew.
   */
  async takeUsed(): Promise<OwnerUsed[]> {
    const told: OwnerUsed[] = [];
    for (const { limits, units } of this.#used.take()) {
      const views = await this.#memory.peek([this.#standFor(limits)]);
      const charged = limits.buckets.map((limit, index) => {
        const used = units[index] ?? 0;
        const view = views[index];
        if (limit.kind !== 'rate' || !view) return used;
        return Math.min(used, Math.max(0, view.size - view.available));
      });
      told.push({ limits, units: charged });
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

  /** @throws GatewayError if a limit isn't decided without Redis, or by what was seen of it and nobody has seen it */
  #checkKnown({ owners, demand }: Admission, cause: unknown): void {
    const { words, seen, nowMs } = this.#options;
    for (const { owner, buckets } of owners)
      for (const limit of buckets) {
        const word = wordFor(limit, words);
        const isUnknown =
          word === 'local' &&
          limit.kind === 'calendar' &&
          unitsAsked(limit, demand) > 0 &&
          seen.available(owner, limit, nowMs()) === undefined;
        if (word === 'closed' || isUnknown) throw new GatewayError('limiter_unavailable', { cause });
      }
  }

  #denial(decision: Denied, owners: readonly OwnerLimits[], cause: unknown): Denied {
    const { refusal, retryAfterMs } = decision;
    const { owner, requested } = refusal;
    const limit = original(owner, refusal.limit, owners);
    const size = sizeOf(limit);
    const isNever = requested > size;
    if (limit.kind === 'calendar' && !isNever) {
      // Only this part is used up. What the others have left nobody knows, so it can't be said that the window has nothing.
      const begun = this.#begun.get(nameOf(owner, limit)) ?? 0;
      const spent = Math.floor(begun / this.#options.share.count) - (refusal.size - refusal.used);
      const left = begun - Math.max(0, spent);
      if (requested <= left) throw new GatewayError('limiter_unavailable', { cause });
      return { ...decision, refusal: { ...refusal, limit, size, used: size - left } };
    }
    // A part may be too small for what the whole limit has room for.
    const isTooSmall = retryAfterMs === 'never' && !isNever;
    return {
      ...decision,
      refusal: { ...refusal, limit },
      retryAfterMs: isTooSmall ? TRY_AGAIN_MS : retryAfterMs,
    };
  }

  #take(admission: Admission, reservation: Reservation): void {
    if (this.#alone.has(reservation)) return;
    this.#alone.set(reservation, admission);
    const { demand, owners } = admission;
    this.#used.add(owners, { requests: demand.requests, inputTokens: 0, outputTokens: 0 });
  }

  #end(reservation: Reservation): Admission | undefined {
    const admission = this.#alone.get(reservation);
    this.#alone.delete(reservation);
    return admission;
  }

  #standFor(limits: OwnerLimits): OwnerLimits {
    const known = this.#stood.get(limits.owner);
    if (known && known.of === limits) return known.limits;
    const stood = { ...limits, buckets: limits.buckets.map((limit) => this.#standForLimit(limit)) };
    this.#stood.set(limits.owner, { of: limits, limits: stood });
    return stood;
  }

  #standForLimit(limit: BucketLimit): BucketLimit {
    const { words, share } = this.#options;
    return wordFor(limit, words) === 'open' ? withoutBound(limit) : limitShare(limit, share);
  }

  /** Lets an owner's buckets begin as they were last seen, not full: with this instance's part of that where the limit binds. */
  async #begin({ owner, buckets }: OwnerLimits): Promise<void> {
    const { words, share, seen, nowMs } = this.#options;
    for (const limit of buckets) {
      const name = nameOf(owner, limit);
      if (limit.kind === 'concurrency' || this.#begun.has(name)) continue;
      const available = seen.available(owner, limit, nowMs());
      if (available === undefined) continue;
      this.#begun.set(name, available);
      const stood = this.#standForLimit(limit);
      const isOpen = wordFor(limit, words) === 'open';
      const missing = isOpen
        ? sizeOf(limit) - available
        : sizeOf(stood) - Math.floor(available / share.count);
      if (missing > 0) await this.#spend(owner, stood, missing);
    }
  }

  /** Takes units from one bucket, beyond what is there if need be. */
  async #spend(owner: string, limit: BucketLimit, units: number): Promise<void> {
    if (limit.kind === 'concurrency' || sizeOf(limit) === 0) return;
    const isCharged = limit.counts === 'requests';
    const requests = isCharged ? Math.min(units, sizeOf(limit)) : 0;
    const demand = { requests, inputTokens: 0, outputTokens: 0 };
    this.#count += 1;
    const requestId = `begin ${this.#count}`;
    const owners = [{ owner, buckets: [limit], sizes: [] }];
    const decision = await this.#memory.admit({ requestId, owners, demand });
    if (!decision.admitted) return;
    const { counts } = limit;
    await this.#memory.settle(decision.reservation, {
      inputTokens: counts === 'input_tokens' || counts === 'model_tokens' ? units : 0,
      outputTokens: counts === 'output_tokens' ? units : 0,
      nanoUsd: counts === 'usd' ? units : 0,
    });
  }

  /** Views with the limits as they are configured. */
  #shown(views: readonly BucketView[], owners: readonly OwnerLimits[]): BucketView[] {
    return views.map((view) => {
      const limit = original(view.owner, view.limit, owners);
      if (wordFor(limit, this.#options.words) !== 'open') return { ...view, limit };
      const size = sizeOf(limit);
      return { ...view, limit, size, available: size - (view.size - view.available) };
    });
  }
}

function nameOf(owner: string, limit: BucketLimit): string {
  return `${owner} ${limit.kind} ${limit.name}`;
}

function original(owner: string, limit: BucketLimit, owners: readonly OwnerLimits[]): BucketLimit {
  const own = owners.find((limits) => limits.owner === owner);
  return own?.buckets.find(({ name, kind }) => name === limit.name && kind === limit.kind) ?? limit;
}
