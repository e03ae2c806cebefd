import type { Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { InFlight } from './in-flight.ts';

/** Balancers look at /ready about once a second: new connections are still taken for this long. */
const NOTICE_MS = 1_000;

/**
 * Ends an instance without losing a request: says so at /ready, closes each connection with its next answer, goes on
 * accepting for a moment, then waits for what is under way, at most `graceMs`, and breaks off the rest.
 */
export class Drain {
  readonly #inFlight: InFlight;
  readonly #graceMs: number;
  #draining = false;
  #now: () => void = () => {};

  constructor(inFlight: InFlight, graceMs: number) {
    this.#inFlight = inFlight;
    this.#graceMs = graceMs;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Ends everything that is still under way now. */
  hurry(): void {
    this.#now();
  }

  /** Resolves when nothing is under way and nothing listens. */
  async run(server: Server, noticeMs = NOTICE_MS): Promise<void> {
    this.#draining = true;
    this.#inFlight.closeConnectionsAfterAnswers();
    const hurried = new Promise<void>((resolve) => {
      this.#now = resolve;
    });
    await Promise.race([wait(noticeMs), hurried]);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const grace = new AbortController();
    const tooLong = wait(this.#graceMs, undefined, { signal: grace.signal }).catch(() => {});
    await Promise.race([this.#inFlight.empty(), tooLong, hurried]);
    grace.abort();
    this.#inFlight.breakAll();
    // The last answers leave before their connections are cut.
    await Promise.race([closed, wait(100)]);
    server.closeAllConnections();
    await closed;
  }
}
