import { setTimeout as wait } from 'node:timers/promises';
import type {
  Admission,
  BucketView,
  Decision,
  Limiter,
  LimiterState,
  OwnerLimits,
  Reservation,
  Settlement,
  WindowUse,
} from '@nexus/domain';
import type { Connections } from '../redis/connections.ts';
import { BEAT_MS, type Beat, Instances } from '../redis/instances.ts';
import { RedisAwayError } from '../redis/redis-away-error.ts';
import { RedisLimiter } from '../redis/redis-limiter.ts';
import type { InsuranceChange, InsuredLimiterOptions } from './insured-limiter-options.ts';
import { LastSeen } from './last-seen.ts';
import { byClass, type OnRedisFailureByClass } from './on-redis-failure.ts';
import { StandIn } from './stand-in.ts';
import { Owed } from './used-away.ts';

/** Calls that fail one after the other until Redis counts as away. */
const FAILURES = 3;
const PROBE_MS = 250;
/** A request that was decided here while Redis is there is told to it so soon. */
const TELL_MS = 50;
const RECOVERY_MS = 2_000;

/**
 * A Redis limiter that goes on deciding when Redis is away. `local`: by this instance's part of each limit, so that all instances together
 * keep within it; `closed`: `admit` rejects with `limiter_unavailable`; `open`: the limit refuses nothing, and counts. A request with any
 * `closed` limit is rejected; otherwise its `local` limits decide. Of a window of the calendar, `local` gives only a part of what
 * was last seen available: where nothing is known of it, or the part is used up, `admit` rejects too.
 *
 * When Redis is back, it is told what was used meanwhile and what is still held, and decides again. An emptied one has its rates full
 * again, but not its windows of the calendar: each instance gives back what it saw used, and what `onRecord` tells. What neither knows begins full.
 *
 * Over an outage of T, in `local`, at most one burst more than burst + rate · T passes: the one that passed before. An instance that
 * alone has lost Redis adds its part to what the others let through.
 */
export class InsuredLimiter implements Limiter {
  readonly #redis: RedisLimiter;
  readonly #connections: Connections;
  readonly #instances: Instances;
  readonly #words: OnRedisFailureByClass;
  readonly #onState: (change: InsuranceChange) => void;
  readonly #onRecord: () => Promise<readonly WindowUse[]>;
  readonly #leaseMs: number;
  readonly #seen = new LastSeen();
  /** The owners of requests that Redis admitted, while they are under way: who holds their slots. */
  readonly #owners = new Map<Reservation, readonly OwnerLimits[]>();
  /** Requests admitted here that Redis has been told of. */
  readonly #handedOver = new WeakMap<Reservation, Reservation>();
  #standIn: StandIn | undefined;
  /** The one that stands in, and those whose last requests may still be on their way. */
  readonly #standIns = new Set<StandIn>();
  #isProbing = false;
  #isAway = false;
  /** It has forgotten all, and that hasn't been said yet. */
  #wasEmptied = false;
  /** It was away when it was to be told what is on record. */
  #lacksRecord = false;
  #failures = 0;
  #lastCause: unknown;
  #awaySinceMs = 0;
  #beat: Beat = { count: 1, place: 0, epoch: '' };
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: InsuredLimiterOptions) {
    const { onRedisFailure = 'local', onState = () => {}, connections, leaseMs = 60_000 } = options;
    this.#words = byClass(onRedisFailure);
    this.#onState = onState;
    this.#onRecord = options.onRecord ?? (async () => []);
    this.#connections = connections;
    this.#leaseMs = leaseMs;
    this.#redis = new RedisLimiter(options);
    this.#instances = new Instances(connections, options.keyPrefix ?? 'nexus');
    this.#timer = setTimeout(() => void this.#probe(), 0);
    connections.ending.on('ready', this.#onReady);
  }

  async admit(admission: Admission): Promise<Decision> {
    if (this.#isAway) return this.#admitAlone(admission, this.#lastCause);
    try {
      const decision = await this.#redis.admit(admission);
      this.#failures = 0;
      this.#seen.learn(admission.owners, decision.buckets, this.#redis.nowMs());
      if (decision.admitted) this.#owners.set(decision.reservation, admission.owners);
      return decision;
    } catch (error) {
      if (!(error instanceof RedisAwayError)) throw error;
      this.#fail(error.cause);
      return this.#admitAlone(admission, error);
    }
  }

  async #admitAlone(admission: Admission, cause: unknown): Promise<Decision> {
    const decision = await this.#standInNow().admit(admission, cause);
    // A single failure: Redis is told at once of what it doesn't know.
    if (!this.#isAway) this.#schedule(TELL_MS);
    return { ...decision, degraded: true };
  }

  settle(reservation: Reservation, used: Settlement, record?: string): Promise<void> {
    const keeper = this.#keeperOf(reservation);
    if (keeper) return this.#endAlone(keeper.settle(reservation, used), reservation, record);
    return this.#endInRedis(reservation, (known) => this.#redis.settle(known, used, record));
  }

  cancel(reservation: Reservation, record?: string): Promise<void> {
    const keeper = this.#keeperOf(reservation);
    if (keeper) return this.#endAlone(keeper.cancel(reservation), reservation, record);
    return this.#endInRedis(reservation, (known) => this.#redis.cancel(known, record));
  }

  /** @param end ends the reservation as Redis knows it */
  #endInRedis(reservation: Reservation, end: (known: Reservation) => Promise<void>): Promise<void> {
    this.#owners.delete(reservation);
    const endNow = () => end(this.#handedOver.get(reservation) ?? reservation);
    return this.#standIn ? this.#standIn.freeSlots(reservation).then(endNow) : endNow();
  }

  /** Redis is told of a request that ends without it when it is back: of its record here, of what it used with all the others'. */
  async #endAlone(ended: Promise<void>, { requestId }: Reservation, record?: string): Promise<void> {
    await ended;
    if (record !== undefined) await this.#redis.record(requestId, record);
  }

  async renew(reservations: readonly Reservation[]): Promise<void> {
    for (const standIn of this.#standIns) await standIn.renew(reservations);
    const own = reservations.filter((reservation) => !this.#keeperOf(reservation));
    await this.#redis.renew(own.map((reservation) => this.#handedOver.get(reservation) ?? reservation));
  }

  async peek(owners: readonly OwnerLimits[]): Promise<readonly BucketView[]> {
    if (this.#isAway) return this.#standInNow().peek(owners);
    try {
      return await this.#redis.peek(owners);
    } catch (error) {
      if (!(error instanceof RedisAwayError)) throw error;
      this.#fail(error.cause);
      return this.#standInNow().peek(owners);
    }
  }

  /** While Redis is away nothing is done: it will be told what is on record by then. */
  async restore(uses: readonly WindowUse[]): Promise<void> {
    try {
      await this.#redis.restore(uses);
    } catch (error) {
      if (!(error instanceof RedisAwayError)) throw error;
      this.#lacksRecord = true;
    }
  }

  state(): LimiterState {
    const { reservations } = this.#redis.state();
    const alone = this.#standIn?.open.length ?? 0;
    return {
      keeper: 'redis',
      status: this.#isAway ? 'degraded' : 'ok',
      owners: 0,
      reservations: reservations + alone,
    };
  }

  /** How many instances share the limits, as last seen; `isKnown`: whether Redis has told yet. */
  instances(): { readonly count: number; readonly isKnown: boolean } {
    return { count: this.#beat.count, isKnown: this.#beat.epoch !== '' };
  }

  /** Ends that Redis doesn't know of yet, and those that were given up. */
  endings(): { readonly queued: number; readonly lost: number } {
    return this.#redis.endings();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#connections.ending.off('ready', this.#onReady);
    if (!this.#isAway) await this.#instances.leave().catch(() => {});
    await this.#redis.close();
    for (const standIn of this.#standIns) await standIn.close();
  }

  readonly #onReady = () => {
    // Even where nothing failed: it may be another Redis, or one that has forgotten.
    if (!this.#isClosed) void this.#probe();
  };

  #standInNow(): StandIn {
    this.#standIn ??= this.#makeStandIn();
    return this.#standIn;
  }

  #keeperOf(reservation: Reservation): StandIn | undefined {
    for (const standIn of this.#standIns) if (standIn.knows(reservation)) return standIn;
    return undefined;
  }

  #makeStandIn(): StandIn {
    // Redis' clock as it is known now, and steady from here on.
    const aheadMs = this.#redis.nowMs() - performance.now();
    const standIn = new StandIn({
      words: this.#words,
      share: this.#beat,
      seen: this.#seen,
      leaseMs: this.#leaseMs,
      nowMs: () => performance.now() + aheadMs,
    });
    this.#standIns.add(standIn);
    for (const [reservation, owners] of this.#owners) void standIn.keepSlots(reservation, owners);
    return standIn;
  }

  /** Counts a failure. Requests that failed together in one call are one. */
  #fail(cause: unknown): void {
    if (this.#isAway || this.#isClosed) return;
    if (this.#failures === 0 || cause !== this.#lastCause) this.#failures += 1;
    this.#lastCause = cause;
    if (this.#failures < FAILURES) return;
    this.#isAway = true;
    this.#awaySinceMs = performance.now();
    this.#standInNow();
    const { rates: decides, budgets: decidesBudgets } = this.#words;
    this.#say({ status: 'degraded', decides, decidesBudgets, wasEmptied: false, cause });
    this.#schedule(PROBE_MS);
  }

  #sayOk(away: { readonly awayMs?: number }): void {
    const wasEmptied = this.#wasEmptied;
    this.#wasEmptied = false;
    this.#say({ status: 'ok', decides: 'redis', decidesBudgets: 'redis', wasEmptied, ...away });
  }

  #say(change: Omit<InsuranceChange, 'instances'>): void {
    this.#onState({ ...change, instances: this.#beat.count });
  }

  #schedule(everyMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#probe(), everyMs * (0.75 + Math.random() / 2)).unref();
  }

  /** A beat, which is also how Redis is tried while it is away. */
  async #probe(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isProbing) return;
    this.#isProbing = true;
    try {
      const beat = await this.#instances.beat();
      if (this.#beat.epoch !== '' && beat.epoch !== this.#beat.epoch) this.#wasEmptied = true;
      this.#beat = beat;
      if (!this.#isAway) this.#failures = 0;
      await (this.#isAway ? this.#recover() : this.#keepUp());
      this.#schedule(this.#isAway ? PROBE_MS : BEAT_MS);
    } catch (error) {
      if (this.#isClosed) return;
      this.#fail(error instanceof RedisAwayError ? error.cause : error);
      this.#schedule(PROBE_MS);
    } finally {
      this.#isProbing = false;
    }
  }

  async #keepUp(): Promise<void> {
    if (this.#hasForgotten) await this.#remind();
    else await this.#redis.windows.lookAgain();
    if (this.#isAway) return;
    if (this.#wasEmptied) this.#sayOk({});
    // It decided single requests, though Redis never counted as away.
    if (this.#standIn) await this.#relieve(this.#standIn);
  }

  /** Tells Redis what it may have lost: what requests hold, and what was used of the calendar's windows. */
  async #remind(): Promise<void> {
    await this.#redis.assert(this.#redis.open());
    const restored = this.#hasForgotten ? this.#restoreAll() : this.#redis.windows.restoreAll();
    // With very many owners the rest follows while requests are decided already: an answer that shows a loss tells of it.
    await Promise.race([restored, wait(RECOVERY_MS, undefined, { ref: false })]);
  }

  get #hasForgotten(): boolean {
    return this.#wasEmptied || this.#lacksRecord || this.#redis.windows.hasLost;
  }

  async #restoreAll(): Promise<void> {
    await this.#redis.windows.restoreAll();
    this.#lacksRecord = false;
    await this.restore(await this.#onRecord());
  }

  /** Tells Redis what it has missed; only then does it decide again. */
  async #recover(): Promise<void> {
    if (this.#connections.admitting.status !== 'ready') return;
    // The beat went over the other connection.
    await this.#redis.peek([]);
    const standIn = this.#standInNow();
    await this.#remind();
    await this.#tell(standIn);
    await this.#redis.flush(RECOVERY_MS);
    if (this.#redis.endings().queued > 0 || this.#isClosed) return;
    this.#isAway = false;
    this.#failures = 0;
    this.#sayOk({ awayMs: performance.now() - this.#awaySinceMs });
    // With what was let through while Redis was told of the rest.
    await this.#relieve(standIn);
  }

  /** Redis decides again. Requests may still be on their way through the one that stood in. */
  async #relieve(standIn: StandIn): Promise<void> {
    if (standIn === this.#standIn) this.#standIn = undefined;
    await this.#tell(standIn);
    setTimeout(() => void this.#dismiss(standIn), RECOVERY_MS).unref();
  }

  async #dismiss(standIn: StandIn): Promise<void> {
    if (this.#isClosed) return;
    await this.#tell(standIn);
    this.#standIns.delete(standIn);
    await standIn.close();
  }

  async #tell(standIn: StandIn): Promise<void> {
    const owed = new Owed(await standIn.takeUsed());
    for (const { reservation, admission } of standIn.open) {
      const imposed = this.#redis.impose(admission, (...charge) => owed.takeOff(...charge));
      this.#handedOver.set(reservation, imposed);
      standIn.handOver(reservation);
    }
    for (const { limits, units } of owed.rest()) void this.#redis.charge(limits, units);
  }
}
