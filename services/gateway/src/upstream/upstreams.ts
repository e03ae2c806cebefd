import type { UpstreamEntry } from '@nexus/config';
import { GatewayError } from '@nexus/domain';
import type { Log } from '@nexus/observe';
import type { Exchange } from '../path/exchange.ts';
import { modelNotFound } from '../path/model-not-found.ts';
import { Itinerary } from './itinerary.ts';
import { NamedUpstream, plainPath, type Surroundings, type Wanted, type Ways } from './named-upstream.ts';

/** What several upstreams need. */
export interface UpstreamsOptions extends Surroundings {
  /** The two ways to one of them. */
  readonly waysTo: (entry: UpstreamEntry) => Ways;
}

/** Several upstreams, in the order in which they are asked. */
export class Upstreams {
  readonly #all: readonly NamedUpstream[];
  readonly #log: Log;

  /** @param before those that these take the place of: what is known of one by its name stays known */
  constructor(entries: readonly UpstreamEntry[], options: UpstreamsOptions, before?: Upstreams) {
    this.#log = options.log;
    this.#all = entries.map(
      (entry) => new NamedUpstream(entry, options.waysTo(entry), options, before?.named(entry.name)),
    );
    for (const upstream of this.#all)
      upstream.fallback = this.#all.find(({ name }) => name === upstream.entry.fallback);
  }

  /**
   * The first upstream that serves the exchange's path, and the model of a metered call.
   * @throws GatewayError `model_not_found` for a metered call, else `not_found`
   */
  choose(exchange: Exchange): NamedUpstream {
    const wanted = wantedBy(exchange);
    const chosen = this.#all.find((upstream) => upstream.serves(wanted));
    if (chosen) return chosen;
    if (!wanted.isMetered) throw new GatewayError('not_found');
    throw wanted.model === undefined ? new GatewayError('model_not_found') : modelNotFound(wanted.model);
  }

  /** Where the exchange goes, from the upstream on that was chosen for it. */
  itinerary(exchange: Exchange): Itinerary {
    const chosen = exchange.chosen ?? this.choose(exchange);
    return new Itinerary(exchange, chosen, wantedBy(exchange), this.#log);
  }

  named(name: string): NamedUpstream | undefined {
    return this.#all.find((upstream) => upstream.name === name);
  }
}

function wantedBy({ path, kind, model }: Exchange): Wanted {
  return { path: plainPath(path), isMetered: kind !== undefined, model };
}
