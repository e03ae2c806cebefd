import type { Config, Target } from '@nexus/config';
import type { Upstream } from '../path/forward.ts';
import { MeteredUpstream } from './metered.ts';
import type { Surroundings, Ways } from './named-upstream.ts';
import { Passthrough } from './passthrough.ts';
import { Upstreams } from './upstreams.ts';

/** What of a configuration says where requests go, and how. */
type Described = Pick<Config, 'target' | 'upstreams' | 'timeouts' | 'onDisconnect' | 'askUsage'>;

/** What a live upstream needs. */
export interface LiveUpstreamOptions extends Surroundings {
  /** Resolves once every request has ended that is under way now. */
  readonly ended: () => Promise<void>;
}

/**
 * The upstream, or several, as the configuration that holds describes them. Another configuration keeps the connections that it
 * describes too, and closes others once the requests have ended that may still use them.
 */
export class LiveUpstream {
  readonly #options: LiveUpstreamOptions;
  /** By all that they were made of. */
  #ways = new Map<string, Ways>();
  readonly #leaving = new Set<Ways>();
  #current: Upstream;

  constructor(config: Described, options: LiveUpstreamOptions) {
    this.#options = options;
    this.#current = this.#build(config);
  }

  /** Where a request that comes now goes, to its end. */
  get current(): Upstream {
    return this.#current;
  }

  takeOver(config: Described): void {
    const before = this.#ways;
    this.#current = this.#build(config);
    const unused = [...before].filter(([made]) => !this.#ways.has(made)).map(([, ways]) => ways);
    for (const ways of unused) this.#leaving.add(ways);
    if (unused.length > 0) void this.#options.ended().then(() => this.#close(unused));
  }

  /** Ends every call. */
  close(): void {
    this.#close([...this.#leaving, ...this.#ways.values()]);
  }

  #build(config: Described): Upstream {
    const { target, upstreams } = config;
    const known = this.#ways;
    this.#ways = new Map();
    if (upstreams.length === 0) return this.#waysTo(target, '', config, known);
    const waysTo = (entry: { readonly name: string; readonly target: Target }) =>
      this.#waysTo(entry.target, entry.name, config, known);
    const before = this.#current instanceof Upstreams ? this.#current : undefined;
    return new Upstreams(upstreams, { ...this.#options, waysTo }, before);
  }

  #waysTo(target: Target, name: string, config: Described, known: ReadonlyMap<string, Ways>): Ways {
    const { timeouts, onDisconnect, askUsage } = config;
    const { connectMs, firstByteMs } = timeouts;
    const made = JSON.stringify([name, target, connectMs, firstByteMs, onDisconnect, askUsage]);
    const { nowMs } = this.#options;
    const ways = known.get(made) ?? {
      metered: new MeteredUpstream({ target, timeouts, onDisconnect, askUsage }, nowMs),
      passthrough: new Passthrough({ target, timeouts }, nowMs),
    };
    this.#ways.set(made, ways);
    return ways;
  }

  #close(all: readonly Ways[]): void {
    for (const ways of all) {
      this.#leaving.delete(ways);
      ways.passthrough.close();
      ways.metered.close();
    }
  }
}
