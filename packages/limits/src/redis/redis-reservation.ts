import type { Demand, Reservation } from '@nexus/domain';
import type { Asking } from './asking.ts';

/** A reservation of a Redis limiter: it remembers what was asked, and whether it has ended. */
export class RedisReservation implements Reservation {
  readonly requestId: string;
  readonly demand: Demand;
  readonly #keeper: object;
  readonly #asking: Asking;
  /** When its leases run out unless they are renewed, by Redis' clock. */
  #endMs: number;
  #hasEnded = false;

  constructor(keeper: object, requestId: string, demand: Demand, asking: Asking, endMs: number) {
    this.requestId = requestId;
    this.demand = demand;
    this.#keeper = keeper;
    this.#asking = asking;
    this.#endMs = endMs;
  }

  /** The reservation as the limiter that made it knows it; undefined: another made it. */
  static of(reservation: Reservation, keeper: object): RedisReservation | undefined {
    return reservation instanceof RedisReservation && reservation.#keeper === keeper
      ? reservation
      : undefined;
  }

  static askingOf(reservation: RedisReservation): Asking {
    return reservation.#asking;
  }

  static endMsOf(reservation: RedisReservation): number {
    return reservation.#endMs;
  }

  static prolong(reservation: RedisReservation, endMs: number): void {
    reservation.#endMs = endMs;
  }

  static hasEnded(reservation: RedisReservation): boolean {
    return reservation.#hasEnded;
  }

  /** True for the first end only. */
  static end(reservation: RedisReservation): boolean {
    if (reservation.#hasEnded) return false;
    reservation.#hasEnded = true;
    return true;
  }
}
