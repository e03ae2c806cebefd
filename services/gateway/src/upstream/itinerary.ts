import { GatewayError } from '@nexus/domain';
import type { Log } from '@nexus/observe';
import type { Exchange } from '../path/exchange.ts';
import { Attempt } from './attempt.ts';
import { isListed, type NamedUpstream, type Wanted } from './named-upstream.ts';

/**
 * Where one request goes: to the upstream that was chosen, there again where that is configured, and to fallbacks. It is sent to no upstream
 * twice, unless the upstream's `retry` says so.
 */
export class Itinerary {
  readonly #exchange: Exchange;
  readonly #wanted: Wanted;
  readonly #first: NamedUpstream;
  readonly #log: Log;
  readonly #visited = new Set<NamedUpstream>();
  /** Attempts at the upstream where it is now. */
  #here = 0;
  #attempts = 0;
  #planned: NamedUpstream | undefined;

  constructor(exchange: Exchange, first: NamedUpstream, wanted: Wanted, log: Log) {
    this.#exchange = exchange;
    this.#wanted = wanted;
    this.#first = first;
    this.#planned = first;
    this.#log = log;
    first.budget.earn();
  }

  /** Whether there is another attempt to make. */
  get goesOn(): boolean {
    return this.#planned !== undefined;
  }

  /**
   * The next attempt.
   * @throws GatewayError `upstream_unavailable` where the breaker is open and nothing else takes the request
   */
  next(): Attempt {
    let upstream = this.#planned;
    this.#planned = undefined;
    if (upstream === undefined) throw new Error('an itinerary that is over');
    if (!this.#isReady(upstream)) upstream = this.#fallbackOf(upstream) ?? upstream;
    const waitMs = upstream.breaker.closedForMs();
    const permit = upstream.breaker.permit();
    if (permit === undefined)
      throw new GatewayError('upstream_unavailable', { retryAfterMs: Math.ceil(waitMs) });
    if (!this.#visited.has(upstream)) this.#here = 0;
    this.#visited.add(upstream);
    this.#here += 1;
    this.#attempts += 1;
    const lease = this.#bringsKey(upstream) ? undefined : upstream.keys?.take();
    const at = upstream;
    const declines = (status: number) => this.#declines(at, status);
    return new Attempt({ upstream, number: this.#attempts, permit, lease, declines, log: this.#log });
  }

  /** An attempt came to no answer. What was never sent goes to a fallback. */
  failed(attempt: Attempt): void {
    const { res } = this.#exchange;
    // A client that leaves, or is too slow, is not the upstream's fault.
    if (res.destroyed || res.headersSent) return;
    attempt.failed();
    if (!this.#exchange.sent && this.#exchange.kind !== undefined)
      this.#planned = this.#fallbackOf(attempt.upstream);
  }

  /** A principal's own key goes to the upstream that was chosen for it, and to no other. */
  #bringsKey(upstream: NamedUpstream): boolean {
    return upstream === this.#first && this.#exchange.identity?.principal.upstreamKey !== undefined;
  }

  #isReady(upstream: NamedUpstream): boolean {
    if (upstream.breaker.closedForMs() > 0) return false;
    return this.#bringsKey(upstream) || (upstream.keys?.isReady() ?? true);
  }

  /** The nearest fallback that is ready and serves the request. */
  #fallbackOf(upstream: NamedUpstream): NamedUpstream | undefined {
    const seen = new Set<NamedUpstream>([upstream]);
    let next = upstream.fallback;
    while (next !== undefined && !seen.has(next)) {
      if (!this.#visited.has(next) && next.serves(this.#wanted) && this.#isReady(next)) return next;
      seen.add(next);
      next = next.fallback;
    }
    return undefined;
  }

  /** Whether an answer is given up for another attempt, which it plans. A body that was streamed can't be sent again. */
  #declines(upstream: NamedUpstream, status: number): boolean {
    const { res, kind } = this.#exchange;
    if (status < 400 || kind === undefined || res.destroyed) return false;
    const { entry, budget } = upstream;
    const next =
      isListed(entry.retryOn, status) && this.#here < entry.attempts && this.#mayHelp(upstream, status)
        ? upstream
        : isListed(entry.fallbackOn, status)
          ? this.#fallbackOf(upstream)
          : undefined;
    if (next === undefined || !budget.take()) return false;
    this.#planned = next;
    return true;
  }

  /** What a key was refused or limited for, only another key can get. */
  #mayHelp(upstream: NamedUpstream, status: number): boolean {
    if (upstream.breaker.closedForMs() > 0) return false;
    if (status >= 500) return true;
    return !this.#bringsKey(upstream) && upstream.keys?.isReady() === true;
  }
}
