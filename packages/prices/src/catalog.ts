import { readFileSync } from 'node:fs';
import { type ListedModel, type ListedProvider, parseCatalog } from './catalog-text.ts';
import { bedrockNames, listedNames, undatedName } from './model-name.ts';

/**
 * Where a model is looked for whose provider isn't known: those who made their models, since only they have names that
 * mean one thing. Two sell another's model under its maker's name (Google sells Anthropic's), so the order counts.
 */
const MAKERS = [
  'openai',
  'anthropic',
  'google',
  'mistral',
  'deepseek',
  'x-ai',
  'cohere',
  'voyageai',
  'moonshotai',
  'perplexity',
  'minimax',
  'zhipuai',
];

/** What clients call providers in `provider/model`, besides their ids here (LiteLLM's prefixes; Google's own `models/`). */
const PREFIXES: ReadonlyMap<string, string> = new Map([
  ['azure_ai', 'azure'],
  ['bedrock', 'aws'],
  ['vertex_ai', 'google'],
  ['gemini', 'google'],
  ['models', 'google'],
  ['xai', 'x-ai'],
  ['together_ai', 'together'],
  ['fireworks_ai', 'fireworks'],
  ['moonshot', 'moonshotai'],
]);

/** Amazon Bedrock's id. */
const BEDROCK = 'aws';

/** No model has a longer name; what is longer isn't looked up. */
const LONGEST_NAME = 256;

interface Shelf {
  readonly provider: ListedProvider;
  readonly models: ReadonlyMap<string, ListedModel>;
}

/** The published prices of the models of many providers. */
export class Catalog {
  readonly #shelves = new Map<string, Shelf>();

  constructor(providers: readonly ListedProvider[]) {
    for (const provider of providers) {
      const models = new Map<string, ListedModel>();
      for (const model of provider.models) for (const name of model.names) models.set(name, model);
      this.#shelves.set(provider.id, { provider, models });
    }
  }

  /** The catalogue that comes with Nexus. */
  static bundled(): Catalog {
    return new Catalog(parseCatalog(readFileSync(new URL('./catalog.tsv', import.meta.url), 'utf8')));
  }

  /** The provider whose API is at an address, as `https://api.openai.com/v1`; undefined: none that is known. */
  providerAt(url: string): string | undefined {
    for (const { provider } of this.#shelves.values()) {
      if (new RegExp(`^(?:${provider.addresses})`).test(url)) return provider.id;
    }
    return undefined;
  }

  has(provider: string): boolean {
    return this.#shelves.has(provider);
  }

  /**
   * The model of a name, as `plainName` makes it. With a provider: what that one sells; without: what the name's prefix
   * says, else the makers' own models.
   */
  find(name: string, provider?: string): ListedModel | undefined {
    if (name.length > LONGEST_NAME) return undefined;
    const sellers = provider === undefined ? MAKERS : [provider];
    for (const seller of sellers) {
      const model = this.#sold(seller, name);
      if (model !== undefined) return model;
    }
    const slash = name.indexOf('/');
    const prefix = name.slice(0, Math.max(0, slash));
    const named = PREFIXES.get(prefix) ?? prefix;
    if (provider !== undefined && provider !== named) return undefined;
    return this.#sold(named, name.slice(slash + 1));
  }

  #sold(seller: string, name: string): ListedModel | undefined {
    const shelf = this.#shelves.get(seller);
    if (shelf === undefined) return undefined;
    for (const listed of seller === BEDROCK ? bedrockNames(name) : listedNames(name)) {
      const model = shelf.models.get(listed);
      if (model !== undefined) return model;
    }
    for (const other of shelf.provider.sellsAlso) {
      const model = this.#sold(other, name);
      if (model !== undefined) return model;
    }
    return undefined;
  }

  /** The name of which this one is a dated snapshot, unless the snapshot is a model with a price of its own. */
  snapshotOf(name: string, provider?: string): string | undefined {
    const base = undatedName(name);
    if (base === undefined) return undefined;
    const own = this.find(name, provider);
    return own === undefined || own === this.find(base, provider) ? base : undefined;
  }
}
