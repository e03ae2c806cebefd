import { randomUUID } from 'node:crypto';
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
import { mostWaitMs } from '../first-start.ts';
import { RequestEndedError } from '../request-ended-error.ts';
import { AdmissionCalls } from './admission-calls.ts';
import { ADMITTED, type Answer, DENIED, ENDED } from './answer.ts';
import { denialOf, viewsOf } from './answer-decision.ts';
import { type Asking, askingOf, type ChargesWith, imposedOf, type LeaseTimes, leaseTimes } from './asking.ts';
import { type CompiledOwner, OwnerCompiler, shortHash } from './compiled-owner.ts';
import type { Connections } from './connections.ts';
import { ASSERT, CANCEL, EndingQueue, RENEW, SETTLE } from './ending-queue.ts';
import { LiveReservations } from './live-reservations.ts';
import { RedisAwayError } from './redis-away-error.ts';
import type { RedisLimiterOptions } from './redis-limiter-options.ts';
import { RedisReservation } from './redis-reservation.ts';
import { RedisTime } from './redis-time.ts';
import { scriptCalls } from './script-calls.ts';
import { SeenWindows } from './seen-windows.ts';
import { SureDenials } from './sure-denials.ts';

const MAX_QUEUED = 100_000;
const RETRY_MS = 250;
/** So that 0.15 calls a request are enough at 16 connections, in place of 0.4; to send one takes 35 – 45 µs. */
const GATHER_MS = 5;
/** In 5 ms, by one instance: below 1,600 a second each is told at once. */
const GATHER_FROM = 8;
/** How long closing waits for the last ends to reach Redis. */
const CLOSING_MS = 2_000;
const NOTHING: Asking = { owners: [], units: [], requests: 0 };
const PLAIN_ID = /^[\w-]{1,64}$/;

/**
 * Keeps the buckets in Redis, shared by every instance. An admission is one call of one script: all its buckets at once, by Redis'
 * clock. Ends go along with admissions, or over a connection of their own; `settle`, `cancel` and `renew` resolve when Redis has done them, or when it is
 * clear that Redis is away: then they wait, and are done when it is back.
 *
 * `admit` and `peek` reject with `RedisAwayError` if Redis doesn't answer in time, and take nothing then: what the call may
 * yet take is cancelled. `state()` counts this instance's own reservations.
 */
export class RedisLimiter implements Limiter {
  readonly #connections: Connections;
  readonly #prefix: string;
  readonly #times: LeaseTimes;
  readonly #steadyMs: () => number;
  readonly #time: RedisTime;
  readonly #owners: OwnerCompiler;
  readonly #calls: AdmissionCalls;
  readonly #endings: EndingQueue;
  readonly #denials: SureDenials | undefined;
  /** What was seen used of calendar windows, for a Redis that loses it. */
  readonly windows: SeenWindows;
  readonly #reservations: LiveReservations;
  readonly #onAdmittingReady = () => this.#denials?.clear();
  readonly #onEndingReady = () => this.#endings.wake();
  #isClosed = false;

  /** @throws RangeError if a lease is longer than four slices */
  constructor(options: RedisLimiterOptions) {
    const { connections, keyPrefix = 'nexus', repeatDenials = true, handClock } = options;
    const { maxQueued = MAX_QUEUED, gatherMs = GATHER_MS, gatherFrom = GATHER_FROM } = options;
    this.#connections = connections;
    this.#prefix = `{${keyPrefix}}:`;
    this.#times = leaseTimes(options);
    this.#steadyMs = handClock ?? (() => performance.now());
    this.#time = new RedisTime(this.#steadyMs, handClock?.() ?? Date.now());
    this.#reservations = new LiveReservations(this, this.#times, this.#time);
    this.#owners = new OwnerCompiler(this.#prefix);
    this.#denials = repeatDenials ? new SureDenials(this.#steadyMs) : undefined;
    const calls = scriptCalls(connections, this.#times, handClock);
    this.#endings = new EndingQueue({
      call: calls.finish,
      records: options.records,
      times: this.#times,
      time: this.#time,
      gatherMs,
      gatherFrom,
      retryMs: RETRY_MS,
      maxQueued,
    });
    this.#calls = new AdmissionCalls(calls.admit, this.#endings, this.#times, this.#time);
    this.windows = new SeenWindows({
      look: (asking) => this.#calls.ask(undefined, asking),
      charge: (owner, units, name) => this.#charge(owner, units, name),
    });
    connections.admitting.on('ready', this.#onAdmittingReady);
    connections.ending.on('ready', this.#onEndingReady);
  }

  async admit(admission: Admission): Promise<Decision> {
    this.#checkOpen();
    const { requestId, owners, demand } = admission;
    const longestMs = mostWaitMs(admission);
    const asking = askingOf(this.#owners.compileAll(owners), demand);
    const known = this.#reservations.get(requestId);
    const sure = known ? undefined : this.#denials?.find(asking, longestMs);
    if (sure) {
      const laterMs = Math.floor(this.#steadyMs() - sure.askedMs);
      const denial = denialOf(asking, sure.answer, laterMs);
      if (denial) return { admitted: false, ...denial, buckets: viewsOf(asking, sure.answer, laterMs) };
    }
    const markerKey = this.#markerKey(requestId);
    const askedMs = this.#steadyMs();
    let answer: Answer;
    try {
      answer = await this.#calls.ask(markerKey, asking, longestMs);
    } catch (error) {
      if (error instanceof RedisAwayError && error.mayHaveRun)
        void this.#endings.add({ what: CANCEL, markerKey, asking });
      throw error;
    }
    if (answer.status === ENDED) throw new RequestEndedError();
    this.windows.learn(asking, answer);
    if (answer.status === DENIED) return this.#deny(asking, answer, askedMs);
    const isKnown = answer.status !== ADMITTED && known;
    const reservation = isKnown ? known : this.#reservations.make(requestId, demand, asking, answer.nowMs);
    return { admitted: true, reservation, startsInMs: answer.waitMs, buckets: viewsOf(asking, answer) };
  }

  settle(reservation: Reservation, used: Settlement, record?: string): Promise<void> {
    return this.#end(SETTLE, reservation, used, record);
  }

  cancel(reservation: Reservation, record?: string): Promise<void> {
    return this.#end(CANCEL, reservation, undefined, record);
  }

  /** Records a request that ended elsewhere: once for each of its ids. */
  record(requestId: string, record: string): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    const markerKey = this.#markerKey(`recorded-${requestId}`);
    return this.#endings.add({ what: SETTLE, markerKey, asking: NOTHING, record });
  }

  renew(reservations: readonly Reservation[]): Promise<void> {
    return this.#prolongAll(RENEW, reservations);
  }

  /**
   * Says that requests are under way and hold what they took, whatever Redis knows of them: after it lost its memory. Nothing
   * is checked, nothing charged twice.
   */
  assert(reservations: readonly Reservation[]): Promise<void> {
    return this.#prolongAll(ASSERT, reservations);
  }

  /**
   * Holds what a request holds that was admitted while Redis was away, without asking whether there is room. `charges` says of each
   * bucket that is charged at once whether that is done with it, and comes back if the request is cancelled, or left to `charge`.
   */
  impose({ requestId, owners, demand }: Admission, charges: ChargesWith = () => false): Reservation {
    this.#checkOpen();
    const asking = imposedOf(askingOf(this.#owners.compileAll(owners), demand), charges);
    // An id of its own: the request's may belong to an admission whose answer was lost, and which is being cancelled.
    const held = this.#reservations.make(`alone-${requestId}`, demand, asking, this.#time.nowMs());
    void this.#prolong(ASSERT, held);
    return held;
  }

  /** Charges one owner what it used while Redis was away: units, one for each of its buckets, admitted or not. */
  charge(limits: OwnerLimits, units: readonly number[]): Promise<void> {
    this.#checkOpen();
    return this.#charge(this.#owners.compile(limits), units, randomUUID());
  }

  async peek(owners: readonly OwnerLimits[]): Promise<readonly BucketView[]> {
    this.#checkOpen();
    const asking = askingOf(this.#owners.compileAll(owners), {
      requests: 0,
      inputTokens: 0,
      outputTokens: 0,
    });
    const answer = await this.#calls.ask(undefined, asking);
    this.windows.learn(asking, answer);
    return viewsOf(asking, answer);
  }

  restore(uses: readonly WindowUse[]): Promise<void> {
    this.#checkOpen();
    return this.windows.assure(
      uses.map(({ limits, units }) => ({ owner: this.#owners.compile(limits), used: units })),
    );
  }

  state(): LimiterState {
    const isReady = this.#connections.admitting.status === 'ready';
    return {
      keeper: 'redis',
      status: isReady ? 'ok' : 'degraded',
      owners: 0,
      reservations: this.#reservations.count,
    };
  }

  /** Redis' clock, as far as its last answer tells; before there is one, this process'. */
  nowMs(): number {
    return this.#time.nowMs();
  }

  /** Ends that Redis doesn't know of yet, and those that were given up. */
  endings(): { readonly queued: number; readonly lost: number } {
    return { queued: this.#endings.size, lost: this.#endings.lost };
  }

  /** Resolves when Redis knows of every end so far, or after `withinMs`. */
  flush(withinMs: number): Promise<void> {
    return this.#endings.flush(withinMs);
  }

  /** The reservations that are neither settled nor cancelled. */
  open(): readonly Reservation[] {
    return this.#reservations.all();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#endings.flush(CLOSING_MS);
    this.#endings.close();
    this.windows.close();
    this.#reservations.clear();
    this.#connections.admitting.off('ready', this.#onAdmittingReady);
    this.#connections.ending.off('ready', this.#onEndingReady);
    this.#connections.close();
  }

  #deny(asking: Asking, answer: Answer, askedMs: number): Decision {
    this.#denials?.learn(asking, answer, askedMs);
    const denial = denialOf(asking, answer);
    if (!denial) throw new Error('Redis refused a request that every bucket has room for');
    return { admitted: false, ...denial, buckets: viewsOf(asking, answer) };
  }

  #end(
    what: number,
    reservation: Reservation,
    used: Settlement | undefined,
    record: string | undefined,
  ): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    const { requestId } = reservation;
    const markerKey = this.#markerKey(requestId);
    const held = this.#reservations.find(reservation);
    // Nothing is known of it but that it has ended: an admission that comes late takes nothing.
    if (!held) return this.#endings.add({ what, markerKey, asking: NOTHING, record });
    if (!this.#reservations.end(held)) return Promise.resolve();
    const asking = RedisReservation.askingOf(held);
    if (what === CANCEL) this.windows.expectLess(asking);
    const done = this.#endings.add({ what, markerKey, asking, used, record });
    return what === SETTLE ? done.then(() => this.windows.expectMore(asking)) : done;
  }

  /** Charges units under a name, once for each name. */
  #charge(owner: CompiledOwner, units: readonly number[], name: string): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    const asking = { owners: [owner], units: units.map(() => 0), requests: 0 };
    return this.#endings.add({
      what: SETTLE,
      markerKey: `${this.#prefix}r:.${name}`,
      asking,
      usedUnits: units,
    });
  }

  async #prolongAll(what: number, reservations: readonly Reservation[]): Promise<void> {
    this.#checkOpen();
    const done: Promise<void>[] = [];
    for (const reservation of reservations) {
      const held = this.#reservations.find(reservation);
      if (held && !RedisReservation.hasEnded(held)) done.push(this.#prolong(what, held));
    }
    await Promise.all(done);
  }

  #prolong(what: number, held: RedisReservation): Promise<void> {
    const markerKey = this.#markerKey(held.requestId);
    const onDone = (redisMs: number, hasChanged: boolean) => {
      if (hasChanged) this.#reservations.prolong(held, redisMs);
    };
    return this.#endings.add({ what, markerKey, asking: RedisReservation.askingOf(held), onDone });
  }

  #markerKey(requestId: string): string {
    return `${this.#prefix}r:${PLAIN_ID.test(requestId) ? requestId : `.${shortHash(requestId)}`}`;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw closedError();
  }
}

function closedError(): Error {
  return new Error('The limiter is closed');
}
