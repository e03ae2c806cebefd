import type { Demand, Reservation } from '@nexus/domain';
import { dropPast, heldUnits, hold, noSlices, release, sliceEndMs } from '../lease-slices.ts';
import type { Asking, LeaseTimes } from './asking.ts';
import { RedisReservation } from './redis-reservation.ts';
import type { RedisTime } from './redis-time.ts';

/** The reservations that one limiter made and that haven't ended, and how many of them Redis still holds something for. */
export class LiveReservations {
  readonly #keeper: object;
  readonly #times: LeaseTimes;
  readonly #time: RedisTime;
  readonly #requests = new Map<string, RedisReservation>();
  /** Counts them as a bucket does its holds. */
  readonly #live = noSlices();

  constructor(keeper: object, times: LeaseTimes, time: RedisTime) {
    this.#keeper = keeper;
    this.#times = times;
    this.#time = time;
  }

  /** How many there are whose leases haven't run out. */
  get count(): number {
    return heldUnits(this.#live, this.#time.nowMs());
  }

  get(requestId: string): RedisReservation | undefined {
    return this.#requests.get(requestId);
  }

  /** The reservation as it was made here, or another of the same request. */
  find(reservation: Reservation): RedisReservation | undefined {
    return RedisReservation.of(reservation, this.#keeper) ?? this.#requests.get(reservation.requestId);
  }

  all(): readonly RedisReservation[] {
    return [...this.#requests.values()];
  }

  /** @param nowMs Redis' time when it was made */
  make(requestId: string, demand: Demand, asking: Asking, nowMs: number): RedisReservation {
    const endMs = this.#leaseEndMs(nowMs);
    const reservation = new RedisReservation(this.#keeper, requestId, demand, asking, endMs);
    this.#requests.set(requestId, reservation);
    dropPast(this.#live, this.#time.nowMs());
    hold(this.#live, endMs, 1);
    return reservation;
  }

  /** True for the first end only. */
  end(reservation: RedisReservation): boolean {
    if (!RedisReservation.end(reservation)) return false;
    const { requestId } = reservation;
    if (this.#requests.get(requestId) === reservation) this.#requests.delete(requestId);
    release(this.#live, RedisReservation.endMsOf(reservation), 1, this.#time.nowMs());
    return true;
  }

  /** @param nowMs Redis' time when it renewed the leases */
  prolong(reservation: RedisReservation, nowMs: number): void {
    if (RedisReservation.hasEnded(reservation)) return;
    release(this.#live, RedisReservation.endMsOf(reservation), 1, 0);
    const endMs = this.#leaseEndMs(nowMs);
    hold(this.#live, endMs, 1);
    RedisReservation.prolong(reservation, endMs);
  }

  clear(): void {
    this.#requests.clear();
  }

  #leaseEndMs(nowMs: number): number {
    return sliceEndMs(nowMs, this.#times.leaseMs, this.#times.sliceMs);
  }
}
