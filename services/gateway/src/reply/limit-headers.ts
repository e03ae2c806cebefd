import type { BucketView } from '@nexus/domain';
import type { Dialect } from '../path/exchange.ts';
import { goDuration } from './go-duration.ts';

const FAMILIES = ['requests', 'tokens', 'input-tokens', 'output-tokens'] as const;
type Family = (typeof FAMILIES)[number];

const FAMILY_OF = {
  requests: 'requests',
  model_tokens: 'tokens',
  input_tokens: 'input-tokens',
  output_tokens: 'output-tokens',
  usd: undefined,
} as const;

const NAMES = {
  openai: (family: Family) =>
    [
      `x-ratelimit-limit-${family}`,
      `x-ratelimit-remaining-${family}`,
      `x-ratelimit-reset-${family}`,
    ] as const,
  anthropic: (family: Family) =>
    [
      `anthropic-ratelimit-${family}-limit`,
      `anthropic-ratelimit-${family}-remaining`,
      `anthropic-ratelimit-${family}-reset`,
    ] as const,
};
const namesOf = (dialect: Dialect) => FAMILIES.map((family) => ({ family, names: NAMES[dialect](family) }));
const HEADERS = { openai: namesOf('openai'), anthropic: namesOf('anthropic') };

/** The bucket of a family that runs out first. */
function tightest(buckets: readonly BucketView[], family: Family): BucketView | undefined {
  let found: BucketView | undefined;
  for (const view of buckets) {
    const { limit } = view;
    if (limit.kind === 'concurrency' || FAMILY_OF[limit.counts] !== family) continue;
    if (found === undefined || view.available < found.available) found = view;
  }
  return found;
}

/**
 * The limit headers of an answer as a flat list: of each family the tightest bucket's size, what is left of it, and the
 * time until it is full. OpenAI: `x-ratelimit-*`, Go durations; Anthropic: `anthropic-ratelimit-*`, RFC 3339.
 */
export function limitHeaders(buckets: readonly BucketView[], dialect: Dialect, nowMs: number): string[] {
  const out: string[] = [];
  for (const { family, names } of HEADERS[dialect]) {
    const view = tightest(buckets, family);
    if (view === undefined) continue;
    const { size, available, untilFullMs } = view;
    const reset =
      dialect === 'anthropic' ? new Date(nowMs + untilFullMs).toISOString() : goDuration(untilFullMs);
    out.push(names[0], String(size), names[1], String(Math.max(0, available)), names[2], reset);
  }
  return out;
}

const LIMIT_HEADER = /^(?:x-ratelimit|anthropic-ratelimit)-/;

/** Whether an upstream's header tells of a family that `ours` tells of too: ours is the tighter truth for this key. */
export function isOverruled(lowerName: string, ours: readonly string[]): boolean {
  return LIMIT_HEADER.test(lowerName) && ours.includes(lowerName);
}
