import { plainName } from './model-name.ts';
import { nanoUsd } from './nano-usd.ts';
import {
  MOST_USD_PER_CALL,
  MOST_USD_PER_MILLION,
  MOST_USD_PER_WEB_SEARCH,
  type PricePeriod,
  type RateName,
  type Rates,
  ratesOf,
} from './price.ts';

/** A price of the configuration (`prices:`). In US dollars: for a million tokens, for one call, for one search. */
export interface PriceEntry {
  /** A model's name, or a pattern in which `*` stands for anything. */
  readonly model: string;
  /** The first day that it holds for, as `2026-11-01` (UTC); absent: always. */
  readonly from?: string | undefined;
  /** Costs what this model costs by the published prices. Stands alone. */
  readonly sameAs?: string | undefined;
  readonly inputUsdPerMillion?: number | undefined;
  readonly cachedInputUsdPerMillion?: number | undefined;
  readonly cacheWriteUsdPerMillion?: number | undefined;
  readonly cacheWrite1hUsdPerMillion?: number | undefined;
  readonly outputUsdPerMillion?: number | undefined;
  readonly reasoningUsdPerMillion?: number | undefined;
  readonly audioInputUsdPerMillion?: number | undefined;
  readonly cachedAudioUsdPerMillion?: number | undefined;
  readonly audioOutputUsdPerMillion?: number | undefined;
  readonly imageInputUsdPerMillion?: number | undefined;
  readonly cachedImageUsdPerMillion?: number | undefined;
  readonly imageOutputUsdPerMillion?: number | undefined;
  readonly usdPerCall?: number | undefined;
  readonly usdPerWebSearch?: number | undefined;
}

type AmountField = Exclude<keyof PriceEntry, 'model' | 'from' | 'sameAs'>;

/** Each amount: its name in the configuration, the rate it sets, the most that is taken for a price. */
const AMOUNTS: readonly (readonly [AmountField, shown: string, RateName, most: number])[] = [
  ['inputUsdPerMillion', 'input_usd_per_million', 'input', MOST_USD_PER_MILLION],
  ['cachedInputUsdPerMillion', 'cached_input_usd_per_million', 'cachedInput', MOST_USD_PER_MILLION],
  ['cacheWriteUsdPerMillion', 'cache_write_usd_per_million', 'cacheWrite', MOST_USD_PER_MILLION],
  ['cacheWrite1hUsdPerMillion', 'cache_write_1h_usd_per_million', 'cacheWrite1h', MOST_USD_PER_MILLION],
  ['outputUsdPerMillion', 'output_usd_per_million', 'output', MOST_USD_PER_MILLION],
  ['reasoningUsdPerMillion', 'reasoning_usd_per_million', 'reasoning', MOST_USD_PER_MILLION],
  ['audioInputUsdPerMillion', 'audio_input_usd_per_million', 'audioInput', MOST_USD_PER_MILLION],
  ['cachedAudioUsdPerMillion', 'cached_audio_usd_per_million', 'cachedAudio', MOST_USD_PER_MILLION],
  ['audioOutputUsdPerMillion', 'audio_output_usd_per_million', 'audioOutput', MOST_USD_PER_MILLION],
  ['imageInputUsdPerMillion', 'image_input_usd_per_million', 'imageInput', MOST_USD_PER_MILLION],
  ['cachedImageUsdPerMillion', 'cached_image_usd_per_million', 'cachedImage', MOST_USD_PER_MILLION],
  ['imageOutputUsdPerMillion', 'image_output_usd_per_million', 'imageOutput', MOST_USD_PER_MILLION],
  ['usdPerCall', 'usd_per_call', 'call', MOST_USD_PER_CALL],
  ['usdPerWebSearch', 'usd_per_web_search', 'webSearch', MOST_USD_PER_WEB_SEARCH],
];

/** What is wrong with an entry, in words for whoever wrote it; empty if nothing is. */
export function entryProblems(entry: PriceEntry): string[] {
  const where = `prices: ${entry.model}`;
  const problems: string[] = [];
  if (plainName(entry.model) === '') problems.push('prices: a model needs a name');
  if (entry.from !== undefined && !Number.isFinite(startOfDay(entry.from))) {
    problems.push(`${where}: from must be a day like 2026-11-01, not ${entry.from}`);
  }
  const given = AMOUNTS.filter(([field]) => entry[field] !== undefined);
  for (const [field, shown, , most] of given) {
    const usd = entry[field] ?? 0;
    if (!(usd >= 0 && usd <= most)) problems.push(`${where}: ${shown} must be from 0 to ${most}, not ${usd}`);
  }
  if (entry.sameAs !== undefined) {
    if (given.length > 0) problems.push(`${where}: same_as stands alone, without prices beside it`);
  } else if (
    entry.inputUsdPerMillion === undefined &&
    entry.outputUsdPerMillion === undefined &&
    entry.usdPerCall === undefined
  ) {
    problems.push(
      `${where}: needs input_usd_per_million, output_usd_per_million, usd_per_call or same_as (0 is a price)`,
    );
  }
  return problems;
}

/** The entry as a price that holds from its day on. For an entry without problems and without `sameAs`. */
export function entryPeriod(entry: PriceEntry): PricePeriod {
  const own: { -readonly [name in RateName]?: Rates[name] } = {};
  for (const [field, , rate] of AMOUNTS) {
    const usd = entry[field];
    if (usd !== undefined) own[rate] = nanoUsd(usd);
  }
  return {
    fromMs: entryStartMs(entry),
    price: { model: entry.model, steps: [{ aboveInputTokens: -1, rates: ratesOf(own) }] },
  };
}

/** When an entry begins to hold, in milliseconds since 1970. */
export function entryStartMs({ from }: PriceEntry): number {
  return from === undefined ? Number.NEGATIVE_INFINITY : startOfDay(from);
}

/** NaN if it isn't a day of the calendar. */
function startOfDay(day: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  // Date.parse takes 2026-02-31 for a day of March.
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(day) ? ms : Number.NaN;
}
