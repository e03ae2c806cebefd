/** Failures in a row that open a breaker. */
const FAILURES_IN_A_ROW = 5;
/** It also opens when more than half of so many last calls failed. */
const CALLS_LOOKED_AT = 20;
/** How long it stays open, and how long one probe may keep the next from trying. */
const OPEN_MS = 10_000;

/** What a call that a breaker let through says of the upstream at its end. Only the first word counts. */
export interface Permit {
  succeeded(): void;
  failed(): void;
  /** It says nothing: the client left, or the call was never made. */
  abandoned(): void;
}

/** Told of a change of state. */
export type BreakerChange = (state: 'open' | 'closed') => void;

/**
 * Keeps requests from an upstream that fails: open after 5 failures in a row or more than 10 of the last 20, for 10 s; then one request
 * at a time is let through, and the first that succeeds closes it.
 */
export class Breaker {
  readonly #nowMs: () => number;
  readonly #onChange: BreakerChange;
  /** The last calls, the newest last; true: failed. */
  #last: boolean[] = [];
  #openUntilMs: number | undefined;
  #probedMs: number | undefined;

  constructor(nowMs: () => number, onChange: BreakerChange = () => {}) {
    this.#nowMs = nowMs;
    this.#onChange = onChange;
  }

  /** How long it lets nothing through (ms); 0: a call may go. */
  closedForMs(): number {
    if (this.#openUntilMs === undefined) return 0;
    const now = this.#nowMs();
    const probedUntilMs = this.#probedMs === undefined ? 0 : this.#probedMs + OPEN_MS;
    return Math.max(0, this.#openUntilMs - now, probedUntilMs - now);
  }

  /** Lets a call through; undefined: it may not go. */
  permit(): Permit | undefined {
    if (this.closedForMs() > 0) return undefined;
    let probeMs: number | undefined;
    if (this.#openUntilMs !== undefined) {
      probeMs = this.#nowMs();
      this.#probedMs = probeMs;
    }
    let isOver = false;
    const once = (then: () => void) => () => {
      if (isOver) return;
      isOver = true;
      if (probeMs !== undefined && this.#probedMs === probeMs) this.#probedMs = undefined;
      then();
    };
    const isProbe = probeMs !== undefined;
    return {
      succeeded: once(() => this.#note(false, isProbe)),
      failed: once(() => this.#note(true, isProbe)),
      abandoned: once(() => {}),
    };
  }

  #note(isFailure: boolean, isProbe: boolean): void {
    if (this.#openUntilMs !== undefined) {
      // What was under way when it opened says nothing of what comes after.
      if (!isProbe) return;
      if (isFailure) this.#openUntilMs = this.#nowMs() + OPEN_MS;
      else {
        this.#openUntilMs = undefined;
        this.#last = [];
        this.#onChange('closed');
      }
      return;
    }
    this.#last.push(isFailure);
    if (this.#last.length > CALLS_LOOKED_AT) this.#last.shift();
    if (!isFailure) return;
    const inARow = this.#last.length - 1 - this.#last.lastIndexOf(false);
    const failures = this.#last.filter(Boolean).length;
    const mostFail = this.#last.length === CALLS_LOOKED_AT && failures > CALLS_LOOKED_AT / 2;
    if (inARow < FAILURES_IN_A_ROW && !mostFail) return;
    this.#openUntilMs = this.#nowMs() + OPEN_MS;
    this.#onChange('open');
  }
}
