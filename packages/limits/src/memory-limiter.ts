import type {
  Admission,
  BucketView,
  Decision,
  Demand,
  Limiter,
  LimiterState,
  OwnerLimits,
  Reservation,
  Settlement,
  WindowUse,
} from '@nexus/domain';
import * as bucket from './bucket.ts';
import { useAtLeast } from './calendar-bucket.ts';
import { checkDemand } from './demand.ts';
import { EndedRequests } from './ended-requests.ts';
import { startOf } from './first-start.ts';
import { cancelPart, type HeldPart, renewPart } from './held-part.ts';
import { HeldRequest } from './held-request.ts';
import { dropPast, heldUnits, hold, noSlices, release, sliceEndMs } from './lease-slices.ts';
import { LARGEST, sizeOf } from './limit-problem.ts';
import { newRecord, type OwnerRecord, ownState, recordTimeMs, stateOf } from './owner-record.ts';
import { RequestEndedError } from './request-ended-error.ts';
import { Sweeper } from './sweeper.ts';

export interface MemoryLimiterOptions {
  /** Milliseconds; what is behind the point is cut off. Default: the time of day when the process began, and steady since. */
  readonly clock?: () => number;
  /** How long a hold lives that nobody renews, at least; at most `sliceMs` longer. Default 60 s. */
  readonly leaseMs?: number;
  /** Default 15 s. */
  readonly sliceMs?: number;
}

const LEASE_MS = 60_000;
const SLICE_MS = 15_000;
/** When the process began, by the time of day: read once, since asking for it costs more than the time itself. */
const BEGAN_MS = performance.timeOrigin;
const DONE: Promise<void> = Promise.resolve();

/**
 * Keeps the buckets in this process. Each call does its whole work before it returns, so calls can't come between each
 * other's reading and writing; the promises are the contract's alone.
 *
 * Idle owners are forgotten: a few records are looked at with every call that writes, and some thousand a second by a
 * timer that doesn't keep the process alive. The id of a request that ended is remembered for one lease at least (or the last
 * 100,000 of them), so that a late repetition of its admission takes nothing: it rejects with `RequestEndedError`. A request that nobody
 * ends is remembered for one lease after its own has run out; its reservation settles rightly even after that.
 */
export class MemoryLimiter implements Limiter {
  readonly #clock: () => number;
  readonly #leaseMs: number;
  readonly #sliceMs: number;
  readonly #records = new Map<string, OwnerRecord>();
  readonly #requests = new Map<string, HeldRequest>();
  readonly #ended: EndedRequests;
  /** Counts the live reservations, as a bucket does its holds. */
  readonly #live = noSlices();
  readonly #sweeper: Sweeper;
  #isClosed = false;

  constructor({ clock = steadyNowMs, leaseMs = LEASE_MS, sliceMs = SLICE_MS }: MemoryLimiterOptions = {}) {
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#sliceMs = sliceMs;
    this.#ended = new EndedRequests(leaseMs);
    this.#sweeper = new Sweeper({
      records: this.#records,
      requests: this.#requests,
      ended: this.#ended,
      keepMs: leaseMs,
      nowMs: () => this.#nowMs(),
    });
  }

  admit(admission: Admission): Promise<Decision> {
    try {
      return Promise.resolve(this.#decide(admission));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  settle(reservation: Reservation, used: Settlement): Promise<void> {
    return this.#end(reservation, {
      inputTokens: tokens(used.inputTokens),
      outputTokens: tokens(used.outputTokens),
      nanoUsd: tokens(used.nanoUsd ?? 0),
    });
  }

  cancel(reservation: Reservation): Promise<void> {
    return this.#end(reservation, undefined);
  }

  renew(reservations: readonly Reservation[]): Promise<void> {
    if (this.#isClosed) return rejectClosed();
    const clockMs = this.#nowMs();
    for (const reservation of reservations) this.#renewOne(reservation, clockMs);
    return DONE;
  }

  peek(owners: readonly OwnerLimits[]): Promise<readonly BucketView[]> {
    return this.#isClosed ? rejectClosed() : Promise.resolve(this.#views(owners, this.#nowMs()));
  }

  restore(uses: readonly WindowUse[]): Promise<void> {
    if (this.#isClosed) return rejectClosed();
    const clockMs = this.#nowMs();
    for (const { limits, units } of uses)
      for (const [place, limit] of limits.buckets.entries()) {
        const used = tokens(units[place] ?? 0);
        if (limit.kind !== 'calendar' || used === 0) continue;
        const record = this.#record(limits.owner, clockMs);
        const nowMs = recordTimeMs(record, clockMs);
        const state = ownState(record, limit, place, nowMs);
        bucket.adopt(state, limit, nowMs);
        if (state.kind === 'calendar') useAtLeast(state, used);
        record.touchedMs = nowMs;
      }
    return DONE;
  }

  state(): LimiterState {
    const reservations = heldUnits(this.#live, this.#nowMs());
    return { keeper: 'memory', status: 'ok', owners: this.#records.size, reservations };
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#sweeper.stop();
    this.#records.clear();
    this.#requests.clear();
    this.#ended.clear();
    dropPast(this.#live, Number.POSITIVE_INFINITY);
    return DONE;
  }

  /** A copy of every record, for tests and diagnosis: plain data, integers only. */
  dump(): readonly OwnerRecord[] {
    return structuredClone([...this.#records.values()]);
  }

  #decide(admission: Admission): Decision {
    const { requestId, owners, demand } = admission;
    if (this.#isClosed) throw closedError();
    checkDemand(demand);
    const clockMs = this.#nowMs();
    const known = this.#requests.get(requestId);
    if (known) {
      const startsInMs = Math.max(0, known.startMs - clockMs);
      return { admitted: true, reservation: known, startsInMs, buckets: this.#views(owners, clockMs) };
    }
    if (this.#ended.has(requestId)) throw new RequestEndedError();
    const startMs = startOf(admission, this.#records, clockMs);
    if (typeof startMs !== 'number')
      return { admitted: false, ...startMs, buckets: this.#views(owners, clockMs) };

    const parts: HeldPart[] = [];
    const charges: bucket.Charge[] = [];
    const views: BucketView[] = [];
    for (let index = 0; index < owners.length; index += 1) {
      const owner = owners[index];
      if (owner && isFirst(owners, index))
        parts.push(this.#take(owner, demand, clockMs, startMs, charges, views));
    }
    const endMs = sliceEndMs(clockMs, this.#leaseMs, this.#sliceMs);
    const reservation = new HeldRequest(this, admission, startMs, parts, endMs);
    this.#requests.set(requestId, reservation);
    dropPast(this.#live, clockMs);
    hold(this.#live, endMs, 1);
    this.#sweeper.step(clockMs);
    return { admitted: true, reservation, startsInMs: startMs - clockMs, buckets: views };
  }

  /** Takes from one owner's buckets what they were found to have room for. */
  #take(
    limits: OwnerLimits,
    demand: Demand,
    clockMs: number,
    startMs: number,
    charges: bucket.Charge[],
    views: BucketView[],
  ): HeldPart {
    const { owner, buckets } = limits;
    let record = this.#records.get(owner);
    const nowMs = recordTimeMs(record, clockMs);
    const endMs = sliceEndMs(nowMs, this.#leaseMs, this.#sliceMs);
    const firstCharge = charges.length;
    for (let place = 0; place < buckets.length; place += 1) {
      const limit = buckets[place];
      if (!limit) continue;
      const units = bucket.unitsAsked(limit, demand);
      let state = stateOf(record, limit, place);
      if (units > 0) {
        record ??= this.#record(owner, nowMs);
        state ??= ownState(record, limit, place, nowMs);
        bucket.adopt(state, limit, nowMs);
        record.touchedMs = nowMs;
        const charge = bucket.take(state, limit, units, endMs, startMs);
        if (charge) charges.push(charge);
      }
      views.push(bucket.viewOf(owner, limit, state, nowMs));
    }
    return { limits, demand, record, endMs, charges, firstCharge };
  }

  #end(reservation: Reservation, used: Settlement | undefined): Promise<void> {
    if (this.#isClosed) return rejectClosed();
    const clockMs = this.#nowMs();
    const { requestId } = reservation;
    const request = HeldRequest.of(reservation, this) ?? this.#requests.get(requestId);
    if (!request) {
      this.#ended.add(requestId, clockMs);
      return DONE;
    }
    if (!HeldRequest.end(request)) return DONE;
    if (this.#requests.get(requestId) === request) this.#requests.delete(requestId);
    this.#ended.add(requestId, clockMs);
    release(this.#live, HeldRequest.endMsOf(request), 1, clockMs);
    for (const part of HeldRequest.partsOf(request)) {
      if (used) this.#settlePart(part, used, clockMs);
      else cancelPart(part, clockMs);
    }
    this.#sweeper.step(clockMs);
    return DONE;
  }

  #settlePart(part: HeldPart, used: Settlement, clockMs: number): void {
    const { limits, demand } = part;
    const { owner, buckets } = limits;
    let record = part.record?.gone === false ? part.record : this.#records.get(owner);
    // What was held in a record that is gone ran out with its lease.
    const endMs = record === part.record ? part.endMs : 0;
    const nowMs = recordTimeMs(record, clockMs);
    for (let place = 0; place < buckets.length; place += 1) {
      const limit = buckets[place];
      if (!limit) continue;
      const heldUnits = bucket.unitsHeld(limit, demand);
      if (!bucket.isTouchedBy(limit, heldUnits, used)) continue;
      let state = stateOf(record, limit, place);
      if (!state) {
        // A limit of 0 admits nothing, with or without a debt.
        if (sizeOf(limit) === 0) continue;
        record ??= this.#record(owner, nowMs);
        state = ownState(record, limit, place, nowMs);
      }
      bucket.advance(state, nowMs);
      bucket.settle(state, limit, heldUnits, endMs, used, nowMs);
      if (record) record.touchedMs = nowMs;
    }
  }

  #renewOne(reservation: Reservation, clockMs: number): void {
    const request = HeldRequest.of(reservation, this) ?? this.#requests.get(reservation.requestId);
    if (!request || HeldRequest.hasEnded(request)) return;
    const endMs = sliceEndMs(clockMs, this.#leaseMs, this.#sliceMs);
    if (release(this.#live, HeldRequest.endMsOf(request), 1, clockMs)) {
      hold(this.#live, endMs, 1);
      HeldRequest.prolong(request, endMs);
    }
    for (const part of HeldRequest.partsOf(request)) renewPart(part, clockMs, this.#leaseMs, this.#sliceMs);
  }

  #views(owners: readonly OwnerLimits[], clockMs: number): BucketView[] {
    const views: BucketView[] = [];
    for (const { owner, buckets } of owners) {
      const record = this.#records.get(owner);
      const nowMs = recordTimeMs(record, clockMs);
      buckets.forEach((limit, place) => {
        views.push(bucket.viewOf(owner, limit, stateOf(record, limit, place), nowMs));
      });
    }
    return views;
  }

  #record(owner: string, nowMs: number): OwnerRecord {
    const known = this.#records.get(owner);
    if (known) return known;
    const made = newRecord(owner, nowMs);
    this.#records.set(owner, made);
    this.#sweeper.start();
    return made;
  }

  #nowMs(): number {
    return Math.floor(this.#clock());
  }
}

/** Whether no owner before this one has the same name: nobody is charged twice for one request. */
function isFirst(owners: readonly OwnerLimits[], index: number): boolean {
  for (let before = 0; before < index; before += 1)
    if (owners[before]?.owner === owners[index]?.owner) return false;
  return true;
}

/** Tokens as somebody else reported them: NaN and less than 0 are none, a fraction is rounded up. */
function tokens(value: number): number {
  return value > 0 ? Math.min(Math.ceil(value), LARGEST) : 0;
}

function steadyNowMs(): number {
  return BEGAN_MS + performance.now();
}

function closedError(): Error {
  return new Error('The limiter is closed');
}

function rejectClosed(): Promise<never> {
  return Promise.reject(closedError());
}
