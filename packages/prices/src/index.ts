export { Catalog } from './catalog.ts';
export { cost, type Reach, worstCost } from './cost.ts';
export { formatUsd, NANO_PER_USD, nanoUsd } from './nano-usd.ts';
export type { Price, PriceStep, Rates } from './price.ts';
export type { PriceEntry } from './price-entry.ts';
export {
  PriceList,
  type PriceListOptions,
  type Pricing,
  priceListProblems,
  type UnknownModel,
} from './price-list.ts';
