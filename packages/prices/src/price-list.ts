import { Catalog } from './catalog.ts';
import { fitsGlob } from './glob.ts';
import { plainName } from './model-name.ts';
import { type Price, type PricePeriod, periodAt } from './price.ts';
import { entryPeriod, entryProblems, entryStartMs, type PriceEntry } from './price-entry.ts';

/**
 * What is done with a model that has no price: the call is refused, or it is let through and counts tokens but no
 * money, or it is charged as another model.
 */
export type UnknownModel = 'refuse' | 'tokens_only' | `assume:${string}`;

/** What is known of a model's price; `refused` and `unpriced` are what `unknown_model` makes of an unknown one. */
export type Pricing =
  | { readonly kind: 'known' | 'assumed'; readonly price: Price }
  | { readonly kind: 'unpriced' | 'refused' };

export interface PriceListOptions {
  /** Prices of the configuration; they come before the published ones. */
  readonly entries?: readonly PriceEntry[] | undefined;
  /** Default `tokens_only`. */
  readonly unknownModel?: UnknownModel | undefined;
  /** Default: the catalogue that comes with Nexus. */
  readonly catalog?: Catalog | undefined;
}

/** What one model or pattern of the configuration costs, one day after another. */
interface OwnPrices {
  readonly name: string;
  readonly dated: readonly {
    readonly fromMs: number;
    readonly period?: PricePeriod;
    readonly sameAs?: string;
  }[];
}

const ASSUME = 'assume:';
const UNPRICED: Pricing = { kind: 'unpriced' };
const REFUSED: Pricing = { kind: 'refused' };

/** What is wrong with the options, in words for whoever wrote the configuration; empty if nothing is. */
export function priceListProblems(options: PriceListOptions): string[] {
  const catalog = options.catalog ?? Catalog.bundled();
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const entry of options.entries ?? []) {
    problems.push(...entryProblems(entry));
    const sameAs = entry.sameAs === undefined ? undefined : plainName(entry.sameAs);
    if (sameAs !== undefined && catalog.find(sameAs) === undefined) {
      problems.push(`prices: ${entry.model}: same_as names ${entry.sameAs}, which has no published price`);
    }
    const id = `${plainName(entry.model)} ${entry.from ?? ''}`;
    if (seen.has(id)) problems.push(`prices: ${entry.model}: has two prices from the same day`);
    seen.add(id);
  }
  const assumed = assumedModel(options.unknownModel);
  if (problems.length === 0 && assumed !== undefined) {
    const list = new PriceList({ entries: options.entries, catalog });
    if (list.priceOf(assumed, Number.POSITIVE_INFINITY) === undefined) {
      problems.push(`unknown_model: ${assumed} has no price itself; add it to prices or name another model`);
    }
  }
  return problems;
}

/** The prices of models, by the configuration and the catalogue. Reads nothing and no clock: every answer is a look-up. */
export class PriceList {
  readonly #catalog: Catalog;
  readonly #unknownModel: UnknownModel;
  readonly #named = new Map<string, OwnPrices>();
  readonly #patterns: OwnPrices[] = [];

  /** For options in which `priceListProblems` finds nothing. */
  constructor({ entries = [], unknownModel = 'tokens_only', catalog }: PriceListOptions = {}) {
    this.#catalog = catalog ?? Catalog.bundled();
    this.#unknownModel = unknownModel;
    for (const [name, own] of Map.groupBy(entries, ({ model }) => plainName(model))) {
      const dated = own.map((entry) => ({
        fromMs: entryStartMs(entry),
        ...(entry.sameAs === undefined
          ? { period: entryPeriod(entry) }
          : { sameAs: plainName(entry.sameAs) }),
      }));
      dated.sort((a, b) => (a.fromMs < b.fromMs ? -1 : 1));
      if (name.includes('*')) this.#patterns.push({ name, dated });
      else this.#named.set(name, { name, dated });
    }
  }

  /** The provider whose API is at an address (`target_url`), to be handed to the look-ups; undefined: not a known one. */
  providerAt(url: string): string | undefined {
    return this.#catalog.providerAt(url);
  }

  /**
   * What calls of a model cost at a time. First what the configuration says (its name, then the first pattern in the
   * order of the file, then the name of which it is a dated snapshot), then the published price. Undefined: unknown.
   *
   * @param model as the request or the answer names it
   * @param atMs milliseconds since 1970
   * @param provider whose price: an id that `providerAt` gave. Without it the model's maker's.
   */
  priceOf(model: string, atMs: number, provider?: string): Price | undefined {
    const name = plainName(model);
    return this.#ownPrice(name, atMs, provider) ?? this.#published(name, atMs, provider);
  }

  /** As `priceOf`, and for a model without a price what `unknown_model` says. A call without a model is such a one. */
  pricing(model: string | undefined, atMs: number, provider?: string): Pricing {
    const price = model === undefined ? undefined : this.priceOf(model, atMs, provider);
    if (price !== undefined) return { kind: 'known', price };
    if (this.#unknownModel === 'refuse') return REFUSED;
    const assumed = assumedModel(this.#unknownModel);
    const instead = assumed === undefined ? undefined : this.priceOf(assumed, atMs);
    return instead === undefined ? UNPRICED : { kind: 'assumed', price: instead };
  }

  #ownPrice(name: string, atMs: number, provider: string | undefined): Price | undefined {
    const own = this.#named.get(name) ?? this.#patterns.find((pattern) => fitsGlob(pattern.name, name));
    if (own !== undefined) return this.#datedPrice(own, atMs);
    const base = this.#named.size === 0 ? undefined : this.#catalog.snapshotOf(name, provider);
    const ofBase = base === undefined ? undefined : this.#named.get(base);
    return ofBase === undefined ? undefined : this.#datedPrice(ofBase, atMs);
  }

  #datedPrice({ dated }: OwnPrices, atMs: number): Price | undefined {
    const entry = dated.findLast(({ fromMs }) => atMs >= fromMs);
    return entry?.sameAs === undefined ? entry?.period?.price : this.#published(entry.sameAs, atMs);
  }

  #published(name: string, atMs: number, provider?: string): Price | undefined {
    const model = this.#catalog.find(name, provider);
    return model === undefined ? undefined : periodAt(model.periods, atMs)?.price;
  }
}

function assumedModel(unknownModel: UnknownModel | undefined): string | undefined {
  return unknownModel?.startsWith(ASSUME) ? unknownModel.slice(ASSUME.length) : undefined;
}
