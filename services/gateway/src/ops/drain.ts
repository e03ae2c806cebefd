import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { InFlight } from './in-flight.ts';

/** Balancers look at /ready about once a second: new connections are still taken for this long. */
const NOTICE_MS = 1_000;

/**
 * Ends an instance without losing a request: says so at /ready and goes on as before for a moment, then listens no more and closes each
 * connection with its next answer, waits for what is under way, at most `graceMs`, and breaks off the rest.
 *
 * In this order: a connection that is made while the socket stops listening is reset by the system, with the request in it. As long
 * as connections are kept, a proxy makes hardly any.
 */
export class Drain {
  readonly #inFlight: InFlight;
  readonly #graceMs: () => number;
  #draining = false;
  #closesConnections = false;
  #now: () => void = () => {};

  constructor(inFlight: InFlight, graceMs: () => number) {
    this.#inFlight = inFlight;
    this.#graceMs = graceMs;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Whether an answer is the last one on its connection. */
  get closesConnections(): boolean {
    return this.#closesConnections;
  }

  /** Ends everything that is still under way now. */
  hurry(): void {
    this.#now();
  }

  /** Resolves when nothing is under way and nothing listens. */
  async run(server: Server, noticeMs = NOTICE_MS): Promise<void> {
    this.#draining = true;
    const hurried = new Promise<void>((resolve) => {
      this.#now = resolve;
    });
    await Promise.race([wait(noticeMs), hurried]);
    await emptyBacklog(server);
    // Of net's server: http's would also close connections whose request has arrived and isn't read yet.
    const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
    this.#closesConnections = true;
    this.#inFlight.closeConnectionsAfterAnswers();
    const grace = new AbortController();
    const tooLong = wait(this.#graceMs(), undefined, { signal: grace.signal }).catch(() => {});
    let isOver = false;
    const over = Promise.race([tooLong, hurried]).then(() => {
      isOver = true;
    });
    let wasBusy: boolean;
    do {
      if (!isOver) await Promise.race([quiet(server, Math.min(noticeMs, QUIET_MS)), closed, over]);
      server.closeIdleConnections();
      wasBusy = this.#inFlight.size > 0;
      await Promise.race([this.#inFlight.empty(), over]);
      if (isOver) this.#inFlight.breakAll();
      // The last answers leave before their connections are cut, and what has arrived is read.
      await Promise.race([closed, wait(LEAVING_MS)]);
      for (let turns = 0; turns < QUIET_TURNS; turns++) await turn();
      // Behind an answer that had begun before the drain its connection stays open: a proxy may have sent the
      // next request there.
    } while ((wasBusy || this.#inFlight.size > 0) && !isOver);
    grace.abort();
    this.#inFlight.breakAll();
    server.closeAllConnections();
    await closed;
  }
}

/** What was written leaves within this time. */
const LEAVING_MS = 100;

/** A proxy that has sent nothing for so long on the connections that it keeps is not about to. */
const QUIET_MS = 500;
/** Whatever still comes: so long is waited for such a pause. */
const LONGEST_UNQUIET_MS = 3_000;

/**
 * Waits until no request has come for `forMs`. A proxy in front goes on to use the connections that it has open, each for one request more, since its
 * answer closes it; closed under its hand, a POST that it just sent would be lost.
 */
async function quiet(server: Server, forMs: number): Promise<void> {
  let lastMs = performance.now();
  const beganMs = lastMs;
  const onRequest = () => {
    lastMs = performance.now();
  };
  server.on('request', onRequest);
  do {
    for (let turns = 0; turns < QUIET_TURNS; turns++) await turn();
    await wait(Math.min(forMs, QUIET_LOOK_MS));
  } while (performance.now() - lastMs < forMs && performance.now() - beganMs < LONGEST_UNQUIET_MS);
  server.off('request', onRequest);
}

const QUIET_LOOK_MS = 50;

/** Turns of the event loop without a new connection, after which none is taken to wait. */
const QUIET_TURNS = 5;

/**
 * Takes the connections that the system has accepted and the loop has not yet: closing the listening socket would reset them, with the
 * requests in them. One is taken each turn (libuv), and a busy loop is behind by many.
 */
async function emptyBacklog(server: Server): Promise<void> {
  let taken = 0;
  const onConnection = () => {
    taken += 1;
  };
  server.on('connection', onConnection);
  for (let quiet = 0; quiet < QUIET_TURNS; ) {
    taken = 0;
    await turn();
    quiet = taken === 0 ? quiet + 1 : 0;
  }
  server.off('connection', onConnection);
}
