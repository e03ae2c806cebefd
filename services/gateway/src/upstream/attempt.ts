import type { AnswerFields } from '@nexus/http-client';
import type { Log } from '@nexus/observe';
import type { Exchange } from '../path/exchange.ts';
import type { Permit } from './breaker.ts';
import type { Call } from './call.ts';
import type { KeyLease } from './key-ring.ts';
import type { NamedUpstream } from './named-upstream.ts';
import { restMs } from './retry-after.ts';

/** A header field that carries a key. */
export interface Credential {
  readonly name: string;
  readonly value: string;
}

/** What an attempt was made with. */
export interface AttemptOptions {
  readonly upstream: NamedUpstream;
  /** Of how many, from 1. */
  readonly number: number;
  readonly permit: Permit;
  /** Absent: the key that came with the request. */
  readonly lease: KeyLease | undefined;
  /** Whether an answer is given up because the request goes elsewhere, or here once more. */
  readonly declines: (status: number) => boolean;
  readonly log: Log;
}

/**
 * One sending of a request to one upstream. It is begun once, and at its end gives back the key, and what it learned of the upstream.
 * A second sending needs another attempt.
 */
export class Attempt {
  readonly upstream: NamedUpstream;
  readonly number: number;
  readonly #permit: Permit;
  readonly #lease: KeyLease | undefined;
  readonly #declines: (status: number) => boolean;
  readonly #log: Log;
  #isBegun = false;

  constructor({ upstream, number, permit, lease, declines, log }: AttemptOptions) {
    this.upstream = upstream;
    this.number = number;
    this.#permit = permit;
    this.#lease = lease;
    this.#declines = declines;
    this.#log = log;
  }

  /** The upstream's own key, where that is sent; undefined: the one that came with the request is. */
  get ownKey(): string | undefined {
    return this.#lease?.secret();
  }

  /** Marks it as used. @throws Error at the second time */
  begin(): void {
    if (this.#isBegun) throw new Error('an attempt is for one sending');
    this.#isBegun = true;
  }

  /** Sends the request. */
  send(exchange: Exchange): Call {
    const { metered, passthrough } = this.upstream.ways;
    this.begin();
    return exchange.kind === undefined ? passthrough.send(exchange) : metered.send(exchange);
  }

  /** The upstream's key in the header that it wants; undefined: the key that came with the request. */
  credential({ dialect }: Pick<Exchange, 'dialect'>): Credential | undefined {
    if (this.#lease === undefined) return undefined;
    const key = this.#lease.secret();
    if (this.upstream.isAzure) return { name: 'api-key', value: key };
    if (dialect === 'anthropic') return { name: 'x-api-key', value: key };
    return { name: 'authorization', value: `Bearer ${key}` };
  }

  /** The head of its answer has come. True: the answer is given up, and nothing of it may reach the client. */
  heard(status: number, fields: AnswerFields): boolean {
    if (status >= 500) this.#permit.failed();
    else this.#permit.succeeded();
    const lease = this.#lease;
    if (status === 429) lease?.cool(restMs(fields, Date.now()));
    if ((status === 401 || status === 403) && lease?.refused() === true)
      this.#log.warn('upstream refused a key', { upstream: this.upstream.name, key: lease.index, status });
    return this.#declines(status);
  }

  /** It was answered by nobody. */
  failed(): void {
    this.#permit.failed();
  }

  /** It is over, however it ended. */
  end(): void {
    this.#permit.abandoned();
    this.#lease?.release();
  }
}
