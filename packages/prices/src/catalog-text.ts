/**
 * The form of catalog.tsv, which says what every provider's models cost. Lines, columns separated by tabs:
 *
 *     provider  <id>  <pattern of its addresses>  <providers whose models it sells at their price, by commas>
 *     model     <names, separated by |>           <periods, separated by " ; ">
 *
 * A model belongs to the provider above it. A period is `from=2026-07-30`, `daily=00:30-16:30` (UTC) and rates:
 * `input=5,271999:10` is $5 for a million tokens, $10 once a prompt has more than 271,999; `call` and `webSearch` are
 * dollars for a thousand. The file is made by `pnpm catalog` in this package and is never edited by hand.
 */

import { nanoUsd } from './nano-usd.ts';
import { type Price, type PricePeriod, type PriceStep, type RateName, type Rates, ratesOf } from './price.ts';

export interface ListedModel {
  /** The first is the provider's own name of it. */
  readonly names: readonly string[];
  readonly periods: readonly PricePeriod[];
}

export interface ListedProvider {
  readonly id: string;
  /** A regular expression that its addresses begin with. */
  readonly addresses: string;
  readonly sellsAlso: readonly string[];
  readonly models: readonly ListedModel[];
}

/** @throws Error that names the line, if the text isn't of this form */
export function parseCatalog(text: string): ListedProvider[] {
  const providers: (ListedProvider & { readonly models: ListedModel[] })[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [kind, one = '', two = '', three = ''] = line.split('\t');
    const provider = providers.at(-1);
    if (kind === 'provider') {
      providers.push({
        id: one,
        addresses: two,
        sellsAlso: three === '' ? [] : three.split(','),
        models: [],
      });
    } else if (kind === 'model' && provider !== undefined) {
      const names = one.split('|');
      const label = `${provider.id}/${names[0]}`;
      provider.models.push({ names, periods: two.split(' ; ').map((period) => parsePeriod(period, label)) });
    } else throw new Error(`catalog.tsv:${index + 1}: neither a provider nor a model of one`);
  }
  return providers;
}

function parsePeriod(text: string, model: string): PricePeriod {
  let fromMs = Number.NEGATIVE_INFINITY;
  let daily: PricePeriod['daily'];
  const rates = new Map<RateName, [above: number, nano: number][]>();
  for (const word of text.split(' ')) {
    const equals = word.indexOf('=');
    const key = word.slice(0, equals);
    const value = word.slice(equals + 1);
    if (key === 'from') fromMs = Date.parse(`${value}T00:00:00Z`);
    else if (key === 'daily') daily = { start: secondOf(value.slice(0, 5)), end: secondOf(value.slice(6)) };
    else if (isRateName(key)) rates.set(key, parseRate(key, value));
    else if (word !== 'free') throw new Error(`catalog.tsv: ${model}: ${word} means nothing`);
  }
  return { fromMs, daily, price: { model, steps: stepsOf(rates) } satisfies Price };
}

function secondOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 3_600 + Number(clock.slice(3, 5)) * 60;
}

const RATE_NAMES: ReadonlySet<string> = new Set(Object.keys(ratesOf({})));

function isRateName(key: string): key is RateName {
  return RATE_NAMES.has(key);
}

function parseRate(key: RateName, value: string): [number, number][] {
  const [base = '', ...tiers] = value.split(',');
  const perThousand = key === 'call' || key === 'webSearch';
  const nanoOf = (usd: string): number => nanoUsd(perThousand ? Number(usd) / 1_000 : Number(usd));
  return [
    [-1, nanoOf(base)],
    ...tiers.map((tier): [number, number] => {
      const colon = tier.indexOf(':');
      return [Number(tier.slice(0, colon)), nanoOf(tier.slice(colon + 1))];
    }),
  ];
}

/** One step for each size at which any rate changes. */
function stepsOf(rates: ReadonlyMap<RateName, readonly [number, number][]>): PriceStep[] {
  const starts = new Set([-1]);
  for (const tiers of rates.values()) for (const [above] of tiers) starts.add(above);
  return [...starts]
    .sort((a, b) => a - b)
    .map((start) => {
      const own: { -readonly [name in RateName]?: Rates[name] } = {};
      for (const [name, tiers] of rates) {
        const tier = tiers.findLast(([above]) => above <= start);
        if (tier !== undefined) own[name] = tier[1];
      }
      return { aboveInputTokens: start, rates: ratesOf(own) };
    });
}
