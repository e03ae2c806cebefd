import { AnswerHeads } from './answer-head.ts';
import { Call } from './call.ts';
import { ClientError } from './client-error.ts';
import { Connection, type Keeper, type Target } from './connection.ts';
import { Deadlines } from './deadlines.ts';
import type { AnswerReceiver, HttpRequest } from './sending.ts';
import { waitForTurnsEnd } from './turns-end.ts';

/** Where a client's calls go, and how long they may take. */
export interface HttpClientOptions {
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string;
  /** For a connection, with its handshake. */
  readonly connectMs: number;
  /** From a request's sending to the head of its answer. */
  readonly headMs: number;
}

const SWEEP_EVERY_MS = 1_000;

/**
 * Calls one server in HTTP/1.1, over as many connections as there are calls at a time, and keeps them for the calls to come.
 *
 * It does what a gateway's metered calls need and no more: a POST whose body is there, an answer that is received as it comes. No pipelining,
 * no redirects, no retries, no decoding, no bodies as streams. Calls of one turn of the event loop leave together at its end.
 */
export class HttpClient implements Keeper {
  readonly target: Target;
  readonly heads = new AnswerHeads();
  tlsSession: Buffer | undefined;
  readonly #hostField: string;
  readonly #deadlines: Deadlines<Connection>;
  readonly #connections = new Set<Connection>();
  /** Those that nothing goes over, the longest idle first. */
  #idle: Connection[] = [];
  #sweep: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ origin, connectMs, headMs }: HttpClientOptions) {
    const { protocol, host, hostname, port } = new URL(origin);
    const isTls = protocol === 'https:';
    this.#hostField = host;
    this.target = {
      isTls,
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? (isTls ? 443 : 80) : Number(port),
      connectMs,
    };
    this.#deadlines = new Deadlines(headMs);
  }

  /**
   * Sends a request, at the end of this turn of the event loop; its answer goes to the receiver.
   * @throws TypeError if the request can't be one: nothing is sent then, and the receiver hears nothing
   */
  send(request: HttpRequest, receiver: AnswerReceiver): void {
    waitForTurnsEnd(new Call(request, this.#hostField, receiver, this.#place));
  }

  /** Ends every call, and every connection. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    this.#deadlines.close();
    for (const connection of [...this.#connections])
      connection.fail(new ClientError('client_closed', 'The client was closed.'));
  }

  readonly #place = (call: Call): void => {
    if (this.#isClosed) {
      call.fail(new ClientError('client_closed', 'The client was closed.'));
      return;
    }
    const connection = this.#takeIdle();
    if (connection) connection.carry(call);
    else this.#connections.add(new Connection(this, call));
  };

  #takeIdle(): Connection | undefined {
    // The one that was used last: the others may rest until they are too many.
    const now = performance.now();
    let connection = this.#idle.pop();
    while (connection !== undefined && !connection.isUsable(now)) {
      connection.drop();
      connection = this.#idle.pop();
    }
    return connection;
  }

  awaitsHead(connection: Connection): void {
    this.#deadlines.start(connection);
  }

  hasHead(connection: Connection): void {
    this.#deadlines.stop(connection);
  }

  isIdle(connection: Connection): void {
    if (this.#isClosed || !connection.isUsable(performance.now())) {
      connection.drop();
      return;
    }
    this.#idle.push(connection);
    if (this.#sweep !== undefined) return;
    this.#sweep = setInterval(() => this.#dropStale(), SWEEP_EVERY_MS);
    this.#sweep.unref();
  }

  isGone(connection: Connection): void {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #dropStale(): void {
    const now = performance.now();
    const before = this.#idle;
    this.#idle = before.filter((connection) => connection.isUsable(now));
    for (const connection of before) if (!connection.isUsable(now)) connection.drop();
    if (this.#idle.length > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}
