import type { Reservation } from '@nexus/domain';
import type { Exchange } from '../path/exchange.ts';
import { breakOff } from '../reply/own-reply.ts';
import type { Call } from '../upstream/call.ts';

/** What is under way, and what must be watched about it. */
export interface Flight {
  readonly exchange: Exchange;
  /** Its place among the flights. */
  place: number;
  reservation?: Reservation;
  /** The upstream's side, once it was sent. */
  call?: Call;
  /** Ends a WebSocket, whose socket no answer knows any more. */
  breakOff?: () => void;
}

/** A client may take this long to send its request, and longer at no less than the rate below. */
const SENDING_GRACE_MS = 30_000;
const SLOWEST_BYTES_PER_SECOND = 8 * 1024;

/**
 * All requests under way: renews what they hold, ends the stalled ones, and tells when none is left.
 * One timer for all of them; it stands still while nothing is under way.
 */
export class InFlight {
  // An array in any order: a Set keeps its old tables alive, and the requests in them, through many collections.
  readonly #flights: Flight[] = [];
  readonly #options: InFlightOptions;
  #timer: NodeJS.Timeout | undefined;
  #renewedMs = 0;
  /** Who waits for the end of what was under way when they asked. */
  readonly #waiting = new Set<{ readonly left: Set<Flight>; readonly tell: () => void }>();

  constructor(options: InFlightOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#flights.length;
  }

  /** How many answers are being streamed, and how many WebSockets are open. */
  streams(): { readonly sse: number; readonly webSockets: number } {
    let sse = 0;
    let webSockets = 0;
    for (const { exchange, breakOff: isWebSocket } of this.#flights) {
      if (exchange.upstreamStatus === undefined) continue;
      if (isWebSocket) webSockets += 1;
      else if (exchange.reading?.stream) sse += 1;
    }
    return { sse, webSockets };
  }

  add(exchange: Exchange): Flight {
    const flight: Flight = { exchange, place: this.#flights.length };
    this.#flights.push(flight);
    if (this.#timer === undefined) {
      this.#renewedMs = this.#options.nowMs();
      this.#timer = setInterval(() => this.check(), this.#options.checkEveryMs);
      this.#timer.unref();
    }
    return flight;
  }

  remove(flight: Flight): void {
    const last = this.#flights.pop();
    if (last !== undefined && last !== flight) {
      this.#flights[flight.place] = last;
      last.place = flight.place;
    }
    if (this.#waiting.size === 0) return;
    for (const waiter of this.#waiting) {
      waiter.left.delete(flight);
      if (waiter.left.size > 0) continue;
      this.#waiting.delete(waiter);
      waiter.tell();
    }
  }

  /** Resolves once everything has ended that is under way now. */
  ended(): Promise<void> {
    if (this.#flights.length === 0) return Promise.resolve();
    return new Promise((tell) => this.#waiting.add({ left: new Set(this.#flights), tell }));
  }

  /** Resolves once nothing is under way. */
  async empty(): Promise<void> {
    while (this.#flights.length > 0) await this.ended();
  }

  /** Lets each connection end with the answer that is under way on it. */
  closeConnectionsAfterAnswers(): void {
    for (const { exchange } of this.#flights)
      if (!exchange.res.headersSent) exchange.res.shouldKeepAlive = false;
  }

  /** Breaks off everything that is under way. */
  breakAll(): void {
    for (const { exchange, breakOff: end } of [...this.#flights]) end ? end() : breakOff(exchange.res);
  }

  /** One round of the watch. */
  check(): void {
    if (this.#flights.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = this.#options.nowMs();
    const idleMs = this.#options.idleMs();
    for (const flight of this.#flights) {
      const { call, exchange } = flight;
      if (call && exchange.upstreamStatus !== undefined && now - call.lastDataMs() > idleMs) call.stall();
      if (isTooSlow(exchange, now)) this.#options.onSlowClient(flight);
    }
    if (now - this.#renewedMs >= this.#options.renewEveryMs) {
      this.#renewedMs = now;
      this.#options.renew(
        [...this.#flights].flatMap(({ reservation, exchange }) =>
          reservation ? [reservation, ...(exchange.trial?.reservations ?? [])] : [],
        ),
      );
    }
  }
}

export interface InFlightOptions {
  readonly nowMs: () => number;
  readonly checkEveryMs: number;
  readonly renewEveryMs: number;
  /** An upstream that has begun its answer and sends nothing of worth for this long has stalled. */
  readonly idleMs: () => number;
  readonly renew: (reservations: Reservation[]) => void;
  readonly onSlowClient: (flight: Flight) => void;
}

function isTooSlow({ req, startedMs, bytesIn, kind }: Exchange, nowMs: number): boolean {
  if (req.complete || req.destroyed) return false;
  const took = nowMs - startedMs;
  const upload = kind === undefined && req.isPaused();
  return !upload && took > SENDING_GRACE_MS + (bytesIn / SLOWEST_BYTES_PER_SECOND) * 1000;
}
