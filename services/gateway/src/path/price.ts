import type { Config } from '@nexus/config';
import { GatewayError, type OwnerLimits, type Usage } from '@nexus/domain';
import { cost, type Price, PriceList, type Pricing, worstCost } from '@nexus/prices';
import { isBudget } from '../budgets/changed-budgets.ts';
import type { NamedUpstream } from '../upstream/named-upstream.ts';
import type { Exchange } from './exchange.ts';

/** Models whose price is remembered within a second, and the longest of their names: clients choose them. */
const MOST_KNOWN = 256;
const LONGEST_KNOWN = 128;

/** What calls cost, by the prices of the configuration that holds. */
export class Prices {
  readonly #config: () => Config;
  #of: Config | undefined;
  #list: PriceList | undefined;
  #provider: string | undefined;
  /** By model, for one second: no price changes within one. Finding it anew takes 2 µs. */
  readonly #known = new Map<string | undefined, Pricing>();
  #knownSecond = 0;
  /** By the origins of several upstreams. */
  readonly #providers = new Map<string, string | undefined>();

  /** @param config the configuration that holds now */
  constructor(config: () => Config) {
    this.#config = config;
  }

  /**
   * The price of the exchange's model; undefined where none is known and none is needed.
   * @throws GatewayError `model_not_priced` where a budget holds, and models without a price are refused
   */
  find(exchange: Exchange, owners: readonly OwnerLimits[], atMs: number): Price | undefined {
    const { reading, model, chosen } = exchange;
    if (!reading) return undefined;
    const pricing = this.#pricing(model, chosen, atMs);
    if (pricing.kind === 'refused' && owners.some(hasBudget)) throw new GatewayError('model_not_priced');
    return 'price' in pricing ? pricing.price : undefined;
  }

  /** The price of the exchange's model at an upstream, the only one where none is given; the price that the exchange has where no other is known. */
  at({ model, price }: Exchange, upstream: NamedUpstream | undefined, atMs: number): Price | undefined {
    const pricing = this.#pricing(model, upstream, atMs);
    return 'price' in pricing ? pricing.price : price;
  }

  /** The prices at all upstreams that may answer the exchange: the one that was chosen for it, and its fallbacks. */
  atAll(exchange: Exchange, price: Price, atMs: number): readonly Price[] {
    const found = [price];
    const seen = new Set([exchange.chosen]);
    for (let next = exchange.chosen?.fallback; next && !seen.has(next); next = next.fallback) {
      seen.add(next);
      found.push(this.at(exchange, next, atMs) ?? price);
    }
    return found;
  }

  #pricing(model: string | undefined, upstream: NamedUpstream | undefined, atMs: number) {
    const list = this.#current();
    if (upstream) return list.pricing(model, atMs, this.#providerAt(upstream.entry.target.origin));
    const second = Math.floor(atMs / 1_000);
    if (second !== this.#knownSecond) this.#known.clear();
    this.#knownSecond = second;
    const known = this.#known.get(model);
    if (known) return known;
    const pricing = list.pricing(model, atMs, this.#provider);
    if (this.#known.size < MOST_KNOWN && (model?.length ?? 0) <= LONGEST_KNOWN)
      this.#known.set(model, pricing);
    return pricing;
  }

  #providerAt(origin: string): string | undefined {
    if (!this.#providers.has(origin)) this.#providers.set(origin, this.#list?.providerAt(origin));
    return this.#providers.get(origin);
  }

  #current(): PriceList {
    const config = this.#config();
    if (this.#list === undefined || this.#of !== config) {
      const { prices, unknownModel, target } = config;
      this.#list = new PriceList({ entries: prices, unknownModel });
      this.#provider = this.#list.providerAt(target.origin);
      this.#providers.clear();
      this.#known.clear();
      this.#of = config;
    }
    return this.#list;
  }
}

/** Whether an owner has a limit in money. */
export function hasBudget({ buckets }: OwnerLimits): boolean {
  return buckets.some(isBudget);
}

/**
 * What a request must find in a budget whose cost Nexus doesn't know: nothing is charged for it, but once the budget is spent it is refused,
 * as every other.
 */
export const LEAST_NANO_USD = 1;

/** Looking and deleting cost nothing at any provider; a WebSocket's conversation does. */
const FREE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);

/** Whether a request may cost something at the upstream. */
export function mayCost({ method, req }: Exchange): boolean {
  return !FREE_METHODS.has(method) || req.headers.upgrade !== undefined;
}

/** The most that a call can cost that holds so many tokens, in nano-dollars. Its body is searched only where that makes a difference. */
export function mostCost(
  price: Price,
  exchange: Exchange,
  inputTokens: number,
  outputTokens: number,
): number {
  const tokens = { inputTokens, outputTokens };
  const plain = worstCost(price, { ...tokens, cacheWrites: false, audio: false, images: false });
  if (worstCost(price, tokens) === plain) return plain;
  const body = exchange.body;
  const holds = (text: string) =>
    body !== undefined && Buffer.from(body.buffer, body.byteOffset, body.length).includes(text);
  return worstCost(price, {
    ...tokens,
    cacheWrites: exchange.dialect === 'anthropic' && holds('"cache_control"'),
    audio: exchange.kind === 'speech' || holds('audio'),
    images: exchange.kind === 'image' || holds('image'),
  });
}

/** What a usage cost, in nano-dollars. An answer that was given is a call, also where it says nothing of its tokens. */
export function costOf(price: Price, usage: Usage, upstreamStatus: number | undefined): number {
  const isGiven = upstreamStatus !== undefined && upstreamStatus >= 200 && upstreamStatus < 300;
  return cost(price, usage, isGiven ? 1 : undefined);
}
