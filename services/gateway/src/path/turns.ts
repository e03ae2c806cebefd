import type { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import type { Exchange } from './exchange.ts';

/** Requests that may wait at once on one instance: each keeps a socket, its body and what it was admitted for. */
const MOST_WAITING = 1_000;

/**
 * The headers by which an SDK says how long its client waits for an answer, in seconds. openai-node and Anthropic's cut the fraction off
 * (`0` is below a second), the Python SDKs write it. openai-node 7 says it only of calls that have a time-out of their own.
 */
const PATIENCE_HEADERS = ['x-stainless-timeout', 'x-stainless-read-timeout'] as const;
const SECONDS = /^\d{1,7}(?:\.\d{1,9})?$/;

/** How long a request may wait, and how many wait already. */
export interface TurnsOptions {
  /** `max_wait` of the configuration. */
  readonly longestMs: () => number;
  readonly nowMs: () => number;
  readonly mostWaiting?: number;
}

/** Where a request's connection says that it is gone. */
interface Connection extends EventEmitter {
  readonly destroyed: boolean;
}

/** The requests of this instance that wait for their turn, because a bucket refills in time (`max_wait`). */
export class Turns {
  readonly #longestMs: () => number;
  readonly #nowMs: () => number;
  readonly #mostWaiting: number;
  #places = 0;

  constructor({ longestMs, nowMs, mostWaiting = MOST_WAITING }: TurnsOptions) {
    this.#longestMs = longestMs;
    this.#nowMs = nowMs;
    this.#mostWaiting = mostWaiting;
  }

  /** Requests that have a place: those that wait, and those of which the limiter hasn't said yet. */
  get places(): number {
    return this.#places;
  }

  /**
   * How long this request may wait (ms): as configured, and no longer than its client waits. Above 0 it has taken a place, for `leave` or
   * `come`; 0 where none is left.
   */
  enter({
    req,
    startedMs,
  }: Pick<Exchange, 'startedMs'> & { readonly req: { headers: IncomingHttpHeaders } }): number {
    const longestMs = this.#longestMs();
    if (longestMs === 0 || this.#places >= this.#mostWaiting) return 0;
    const leftMs = patienceMs(req.headers) - (this.#nowMs() - startedMs);
    const mayMs = Math.floor(Math.min(longestMs, leftMs));
    if (mayMs <= 0) return 0;
    this.#places += 1;
    return mayMs;
  }

  /** Gives up a place. */
  leave(): void {
    this.#places -= 1;
  }

  /**
   * Waits until `startMs`, by the clock of `nowMs`; undefined: it is this request's turn at once. False: the client has left meanwhile,
   * and the request must not be forwarded.
   */
  come(
    exchange: Pick<Exchange, 'waitedMs' | 'ending'>,
    startMs: number | undefined,
    connection: Connection,
  ): true | Promise<boolean> {
    return startMs === undefined ? true : this.#wait(exchange, startMs, connection);
  }

  async #wait(
    exchange: Pick<Exchange, 'waitedMs' | 'ending'>,
    startMs: number,
    connection: Connection,
  ): Promise<boolean> {
    const beganMs = this.#nowMs();
    const isHere = await this.#until(startMs, connection);
    this.leave();
    exchange.waitedMs = this.#nowMs() - beganMs;
    if (!isHere) exchange.ending = 'client left';
    return isHere;
  }

  #until(startMs: number, connection: Connection): Promise<boolean> {
    if (connection.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout;
      const end = (isHere: boolean) => {
        clearTimeout(timer);
        connection.off('close', onClose);
        resolve(isHere);
      };
      const onClose = () => end(false);
      const look = () => {
        const leftMs = startMs - this.#nowMs();
        // A timer may fire within a millisecond before its time.
        if (leftMs <= 0) end(true);
        else timer = setTimeout(look, Math.ceil(leftMs));
      };
      connection.once('close', onClose);
      look();
    });
  }
}

/** How long the client says it waits; infinite where it says nothing that makes sense. */
function patienceMs(headers: IncomingHttpHeaders): number {
  for (const name of PATIENCE_HEADERS) {
    const said = headers[name];
    if (typeof said === 'string' && SECONDS.test(said)) return Number(said) * 1_000;
  }
  return Number.POSITIVE_INFINITY;
}
