import type { TierLimits } from './limits.ts';

/** OpenAI's usage tiers. */
export const TIERS = ['free', '1', '2', '3', '4', '5'] as const;
export type TierName = (typeof TIERS)[number];

export function isTierName(name: string): name is TierName {
  return TIERS.some((tier) => tier === name);
}

/** The limits of a group of models that share their buckets, tier by tier; null where the tier doesn't have the models. */
export interface ModelLimits {
  readonly name: string;
  readonly matches: RegExp;
  readonly tiers: Readonly<Record<TierName, TierLimits | null>>;
}

const row = (requestsPerMinute: number, tokensPerMinute: number, requestsPerDay?: number): TierLimits => ({
  requestsPerMinute,
  tokensPerMinute,
  ...(requestsPerDay === undefined ? {} : { requestsPerDay }),
});

const FREE = row(3, 40_000, 200);
const LARGE = {
  free: null,
  1: row(500, 30_000),
  2: row(5_000, 450_000),
  3: row(5_000, 800_000),
  4: row(10_000, 2_000_000),
  5: row(10_000, 30_000_000),
};
const SMALL = {
  free: FREE,
  1: row(500, 200_000, 10_000),
  2: row(5_000, 2_000_000),
  3: row(5_000, 4_000_000),
  4: row(10_000, 10_000_000),
  5: row(30_000, 150_000_000),
};

/**
 * Requests a minute, tokens a minute and, where there is one, requests a day, for chat models. The first that matches counts; dated names
 * share the buckets of their model. A model that no row has is held for a large one: the table is small, and a limit that is too
 * tight shows in a test where one that is too wide hides.
 *
 * OpenAI shows an account its own numbers at platform.openai.com/settings/organization/limits and publishes a model's on its page; these are as
 * others quoted them, read 2026-11:
 * - tiers 1 to 5 of gpt-4o and gpt-4o-mini: ai-buzz.com/ai-openai-rate-limits;
 * - requests a day at tier 1, and gpt-3.5-turbo there: community.openai.com/t/1028595;
 * - tiers 2 to 5 of gpt-4.1, and 2 and 3 of gpt-3.5-turbo: community.openai.com/t/1357016;
 * - the free tier: a copy of its limits page that names gpt-3.5-turbo.
 *
 * Assumed, for want of a source: that gpt-4o-mini and gpt-4.1-mini have gpt-3.5-turbo's free tier, that gpt-4.1-mini has gpt-4o-mini's other tiers,
 * tier 1 of gpt-4.1 (gpt-4o's), and tiers 4 and 5 of gpt-3.5-turbo.
 */
export const MODEL_LIMITS: readonly ModelLimits[] = [
  { name: 'gpt-4o-mini', matches: /^gpt-4o-mini(-\d{4}-\d{2}-\d{2})?$/, tiers: SMALL },
  { name: 'gpt-4.1-mini', matches: /^gpt-4\.1-mini(-\d{4}-\d{2}-\d{2})?$/, tiers: SMALL },
  {
    name: 'gpt-3.5-turbo',
    matches: /^gpt-3\.5-turbo(-\d{4})?$/,
    tiers: {
      free: FREE,
      1: row(3_500, 200_000, 10_000),
      2: row(3_500, 2_000_000),
      3: row(3_500, 4_000_000),
      4: row(10_000, 10_000_000),
      5: row(10_000, 50_000_000),
    },
  },
  { name: 'gpt-4o', matches: /^gpt-4o(-\d{4}-\d{2}-\d{2})?$/, tiers: LARGE },
  { name: 'gpt-4.1', matches: /^gpt-4\.1(-\d{4}-\d{2}-\d{2})?$/, tiers: LARGE },
];

/** The limits of a model in a tier, and whose buckets it takes from; null where the tier doesn't have it. */
export function tierLimits(tier: TierName, model: string): { group: string; limits: TierLimits } | null {
  const found = MODEL_LIMITS.find(({ matches }) => matches.test(model));
  const limits = found === undefined ? LARGE[tier] : found.tiers[tier];
  return limits === null ? null : { group: found?.name ?? model, limits };
}
