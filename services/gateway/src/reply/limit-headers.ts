import type { BucketLimit, BucketView } from '@nexus/domain';
import type { Dialect } from '../path/exchange.ts';
import { goDuration } from './go-duration.ts';

const FAMILIES = ['requests', 'tokens', 'input-tokens', 'output-tokens'] as const;
type Family = (typeof FAMILIES)[number];

/** The place of a limit's family; −1: there are no headers for it. A switch, since this is asked of every bucket of every answer. */
function placeOf(limit: BucketLimit): number {
  if (limit.kind === 'concurrency') return -1;
  switch (limit.counts) {
    case 'requests':
      return 0;
    case 'model_tokens':
      return 1;
    case 'input_tokens':
      return 2;
    case 'output_tokens':
      return 3;
    case 'usd':
      return -1;
  }
}

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
/** Of each family, in its place. */
const HEADERS = { openai: FAMILIES.map(NAMES.openai), anthropic: FAMILIES.map(NAMES.anthropic) };

/**
 * The limit headers of an answer as a flat list: of each family the tightest bucket's size, what is left of it, and the
 * time until it is full. OpenAI: `x-ratelimit-*`, Go durations; Anthropic: `anthropic-ratelimit-*`, RFC 3339.
 */
export function limitHeaders(buckets: readonly BucketView[], dialect: Dialect, nowMs: number): string[] {
  const tightest: (BucketView | undefined)[] = [undefined, undefined, undefined, undefined];
  for (const view of buckets) {
    const place = placeOf(view.limit);
    if (place < 0) continue;
    const found = tightest[place];
    if (found === undefined || view.available < found.available) tightest[place] = view;
  }
  const out: string[] = [];
  const all = HEADERS[dialect];
  for (let place = 0; place < all.length; place += 1) {
    const [view, names] = [tightest[place], all[place]];
    if (view === undefined || names === undefined) continue;
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
