import type { Demand, Reservation } from '@nexus/domain';
import type { HeldPart } from './held-part.ts';

/** A reservation of the memory limiter: it remembers by itself what it took, and that it has ended. */
export class HeldRequest implements Reservation {
  readonly requestId: string;
  readonly demand: Demand;
  /** When it begins. */
  readonly startMs: number;
  readonly #keeper: object;
  readonly #parts: readonly HeldPart[];
  /** When its leases run out unless they are renewed. */
  #endMs: number;
  #hasEnded = false;

  constructor(
    keeper: object,
    { requestId, demand }: Reservation,
    startMs: number,
    parts: readonly HeldPart[],
    endMs: number,
  ) {
    this.requestId = requestId;
    this.demand = demand;
    this.startMs = startMs;
    this.#keeper = keeper;
    this.#parts = parts;
    this.#endMs = endMs;
  }

  /** The reservation as the limiter that made it knows it; undefined: another made it. */
  static of(reservation: Reservation, keeper: object): HeldRequest | undefined {
    return reservation instanceof HeldRequest && reservation.#keeper === keeper ? reservation : undefined;
  }

  static partsOf(request: HeldRequest): readonly HeldPart[] {
    return request.#parts;
  }

  static endMsOf(request: HeldRequest): number {
    return request.#endMs;
  }

  static prolong(request: HeldRequest, endMs: number): void {
    request.#endMs = endMs;
  }

  static hasEnded(request: HeldRequest): boolean {
    return request.#hasEnded;
  }

  /** True for the first end only. */
  static end(request: HeldRequest): boolean {
    if (request.#hasEnded) return false;
    request.#hasEnded = true;
    return true;
  }
}
