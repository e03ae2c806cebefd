/**
 * Makes the text of src/catalog.tsv (its form: src/catalog-text.ts) from the data that comes with @pydantic/genai-prices.
 * Reading that package at start would cost 50 ms and 8 MB, and every change of a price would go unseen; the text costs
 * a tenth, and shows each change as a line.
 *
 * Taken over is what is paid by the token. Left out are models that are paid only by time or pages, models listed with
 * no price that aren't said to be free, and audio models without a price of audio.
 */

import {
  calcPrice,
  type ModelInfo,
  type ModelPrice,
  type Provider,
  waitForUpdate,
} from '@pydantic/genai-prices';
import { undatedName } from '../src/model-name.ts';
import type { RateName } from '../src/price.ts';

/** Our name of a rate by the package's. */
const RATES: ReadonlyMap<string, RateName> = new Map([
  ['input_mtok', 'input'],
  ['cache_read_mtok', 'cachedInput'],
  ['cache_write_mtok', 'cacheWrite'],
  ['cache_write_1h_mtok', 'cacheWrite1h'],
  ['output_mtok', 'output'],
  ['output_reasoning_mtok', 'reasoning'],
  ['input_audio_mtok', 'audioInput'],
  ['cache_audio_read_mtok', 'cachedAudio'],
  ['output_audio_mtok', 'audioOutput'],
  ['input_image_mtok', 'imageInput'],
  ['cache_image_read_mtok', 'cachedImage'],
  ['output_image_mtok', 'imageOutput'],
  ['requests_kcount', 'call'],
  ['web_searches_kcount', 'webSearch'],
]);

/**
 * Prices of audio that the data leaves out, in dollars for a million tokens:
 * https://openai.com/index/o1-and-new-tools-for-developers/.
 */
const AUDIO: ReadonlyMap<string, ModelPrice> = new Map([
  ['openai/gpt-4o-audio-preview', { input_audio_mtok: 40, output_audio_mtok: 80 }],
  ['openai/gpt-4o-mini-audio-preview', { input_audio_mtok: 10, output_audio_mtok: 20 }],
]);

/**
 * The names of fine-tuned models, whose base the data has as a prefix only; snapshots that are no dates one by one.
 * `ft:gpt-4-0` is left out: its price there is that of gpt-4 itself.
 */
const FINE_TUNED: ReadonlyMap<string, readonly string[]> = new Map([
  ['ft:gpt-3.5-turbo-', ['', '-0613', '-1106', '-0125'].map((snapshot) => `ft:gpt-3.5-turbo${snapshot}`)],
  ['ft:gpt-4o', ['ft:gpt-4o']],
  ['ft:gpt-4o-mini', ['ft:gpt-4o-mini']],
]);

export async function genaiCatalog(packageVersion: string): Promise<string> {
  const providers = (await waitForUpdate()) ?? [];
  const lines = [
    `# Prices of @pydantic/genai-prices ${packageVersion} (MIT licence). Made by \`pnpm catalog\`.`,
  ];
  for (const provider of providers) {
    const sellsAlso = (provider.fallback_model_providers ?? []).join(',');
    lines.push(['provider', provider.id, provider.api_pattern, sellsAlso].join('\t'));
    lines.push(...modelLines(provider));
  }
  return `${lines.join('\n')}\n`;
}

function modelLines(provider: Provider): string[] {
  const names = new Map<ModelInfo, Set<string>>();
  const candidates = new Set<string>();
  for (const model of provider.models) {
    candidates.add(model.id);
    for (const literal of literals(model.match)) {
      candidates.add(literal);
      candidates.add(literal.replace(/[-@]+$/, ''));
      // Anthropic's aliases, which the data has as prefixes only.
      if (provider.id === 'anthropic') candidates.add(`${literal}-latest`);
    }
  }
  for (const candidate of candidates) {
    const name = candidate.toLowerCase();
    const model = modelNamed(provider, name);
    if (model === undefined || /[\t|\n]/.test(name)) continue;
    const known = names.get(model) ?? new Set();
    names.set(model, known.add(name));
  }
  const lines: string[] = [];
  for (const model of provider.models) {
    const own = names.get(model) ?? new Set<string>();
    if (provider.id === 'openai') for (const tuned of FINE_TUNED.get(model.id) ?? []) own.add(tuned);
    const text = periods(provider, model);
    if (text === undefined || own.size === 0) continue;
    const first = model.id.toLowerCase();
    const sorted = [...own].filter((name) => !isSnapshotIn(own, name)).sort();
    if (own.has(first)) sorted.sort((a, b) => Number(b === first) - Number(a === first));
    lines.push(['model', sorted.join('|'), text].join('\t'));
  }
  return lines;
}

/** Names that are dated snapshots of another of the same model are found without being listed. */
function isSnapshotIn(names: ReadonlySet<string>, name: string): boolean {
  const base = undatedName(name);
  return base !== undefined && names.has(base);
}

/** The model that the package itself takes for this name, if it is one of the provider's own. */
function modelNamed(provider: Provider, name: string): ModelInfo | undefined {
  try {
    const model = calcPrice({}, name, { providerId: provider.id })?.model;
    return model !== undefined && provider.models.includes(model) ? model : undefined;
  } catch {
    return undefined;
  }
}

type Match = ModelInfo['match'];

function literals(match: Match): string[] {
  if ('or' in match) return match.or.flatMap(literals);
  if ('and' in match) return match.and.flatMap(literals);
  if ('regex' in match) return [];
  return Object.values(match);
}

function periods(provider: Provider, model: ModelInfo): string | undefined {
  const all = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const texts: string[] = [];
  for (const { constraint, prices } of all) {
    const rates = rateWords({ ...prices, ...AUDIO.get(`${provider.id}/${model.id}`) }, model.id);
    if (rates === undefined) return undefined;
    const words = [rates];
    if (constraint?.type === 'start_date') words.unshift(`from=${constraint.start_date}`);
    if (constraint?.type === 'time_of_date')
      words.unshift(`daily=${clock(constraint.start_time)}-${clock(constraint.end_time)}`);
    texts.push(words.join(' '));
  }
  return texts.join(' ; ');
}

function clock(time: string): string {
  const match = /^(\d\d:\d\d):00Z$/.exec(time);
  if (match?.[1] === undefined) throw new Error(`a time of day in another form: ${time}`);
  return match[1];
}

function rateWords(prices: ModelPrice, model: string): string | undefined {
  const words: string[] = [];
  for (const [theirs, ours] of RATES) {
    const price = prices[theirs];
    if (price === undefined) continue;
    const [base, tiers] = typeof price === 'number' ? [price, []] : [price.base, price.tiers];
    words.push(
      `${ours}=${[decimal(base), ...tiers.map((tier) => `${tier.start}:${decimal(tier.price)}`)].join()}`,
    );
  }
  const byToken = prices.input_mtok !== undefined || prices.output_mtok !== undefined;
  if (!byToken) return Object.keys(prices).length === 0 && isFree(model) ? 'free' : undefined;
  const speaks = /audio|realtime/.test(model);
  return speaks && prices.input_audio_mtok === undefined ? undefined : words.join(' ');
}

function isFree(model: string): boolean {
  return model.endsWith(':free') || model === 'moderation';
}

/** At most nine decimals, which hides what is left of a division in the data. */
function decimal(usd: number): string {
  return usd.toFixed(9).replace(/\.?0+$/, '');
}
