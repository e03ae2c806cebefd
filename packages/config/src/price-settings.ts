import type { PriceSetting } from './config.ts';
import { parseUsd } from './quantity.ts';
import { textOf } from './secret-text.ts';
import type { MapTree, Tree } from './yaml-tree.ts';

type Amount = Exclude<keyof PriceSetting, 'model' | 'from' | 'sameAs'>;

/** What a price may name: in the file, and once read. */
export const PRICE_AMOUNTS: readonly (readonly [inFile: string, Amount])[] = [
  ['input_usd_per_million', 'inputUsdPerMillion'],
  ['cached_input_usd_per_million', 'cachedInputUsdPerMillion'],
  ['cache_write_usd_per_million', 'cacheWriteUsdPerMillion'],
  ['cache_write_1h_usd_per_million', 'cacheWrite1hUsdPerMillion'],
  ['output_usd_per_million', 'outputUsdPerMillion'],
  ['reasoning_usd_per_million', 'reasoningUsdPerMillion'],
  ['audio_input_usd_per_million', 'audioInputUsdPerMillion'],
  ['cached_audio_usd_per_million', 'cachedAudioUsdPerMillion'],
  ['audio_output_usd_per_million', 'audioOutputUsdPerMillion'],
  ['image_input_usd_per_million', 'imageInputUsdPerMillion'],
  ['cached_image_usd_per_million', 'cachedImageUsdPerMillion'],
  ['image_output_usd_per_million', 'imageOutputUsdPerMillion'],
  ['usd_per_call', 'usdPerCall'],
  ['usd_per_web_search', 'usdPerWebSearch'],
];

/** Reads `prices`, whose shape was checked before. */
export function readPrices(tree: MapTree): readonly PriceSetting[] {
  const given = tree.entries.get('prices')?.value;
  const prices = [];
  for (const [model, { value }] of given?.kind === 'map' ? given.entries : [])
    for (const entry of value.kind === 'list' ? value.items : [value]) prices.push(readPrice(model, entry));
  return Object.freeze(prices.filter((price) => price !== undefined));
}

function readPrice(model: string, tree: Tree): PriceSetting | undefined {
  if (tree.kind !== 'map') return undefined;
  const amounts: { -readonly [Name in Amount]?: number } = {};
  for (const [inFile, name] of PRICE_AMOUNTS) {
    const value = tree.entries.get(inFile)?.value;
    const nanoUsd = value?.kind === 'scalar' ? parseUsd(value.value) : undefined;
    if (nanoUsd !== undefined) amounts[name] = nanoUsd / 1e9;
  }
  const from = textOf(tree.entries.get('from')?.value);
  const sameAs = textOf(tree.entries.get('same_as')?.value);
  return Object.freeze({ model, from, sameAs, ...amounts });
}
