import type { BucketView } from '@nexus/domain';
import type { Dialect } from '../path/exchange.ts';
import { goDuration } from './go-duration.ts';

type Family = 'requests' | 'tokens' | 'input-tokens' | 'output-tokens';

function familyOf(view: BucketView): Family | undefined {
  const { limit } = view;
  if (limit.kind === 'concurrency') return undefined;
  if (limit.counts === 'requests') return 'requests';
  if (limit.counts === 'model_tokens') return 'tokens';
  return limit.counts === 'input_tokens' ? 'input-tokens' : 'output-tokens';
}

/** The bucket of each family that runs out first. */
function tightest(buckets: readonly BucketView[]): Map<Family, BucketView> {
  const found = new Map<Family, BucketView>();
  for (const view of buckets) {
    const family = familyOf(view);
    if (family === undefined) continue;
    const before = found.get(family);
    if (before === undefined || view.available < before.available) found.set(family, view);
  }
  return found;
}

/**
 * The limit headers of an answer as a flat list: of each family the tightest bucket's size, what is left of it, and the
 * time until it is full. OpenAI: `x-ratelimit-*`, Go durations; Anthropic: `anthropic-ratelimit-*`, RFC 3339.
 */
export function limitHeaders(buckets: readonly BucketView[], dialect: Dialect, nowMs: number): string[] {
  const out: string[] = [];
  for (const [family, view] of tightest(buckets)) {
    const left = String(Math.max(0, view.available));
    if (dialect === 'anthropic') {
      const name = `anthropic-ratelimit-${family}`;
      const fullAt = new Date(nowMs + view.untilFullMs).toISOString();
      out.push(`${name}-limit`, String(view.size), `${name}-remaining`, left, `${name}-reset`, fullAt);
    } else {
      out.push(`x-ratelimit-limit-${family}`, String(view.size), `x-ratelimit-remaining-${family}`, left);
      out.push(`x-ratelimit-reset-${family}`, goDuration(view.untilFullMs));
    }
  }
  return out;
}

const LIMIT_HEADER = /^(?:x-ratelimit|anthropic-ratelimit)-/;

/** Whether an upstream's header tells of a family that `ours` tells of too: ours is the tighter truth for this key. */
export function overruledBy(ours: readonly string[]): (lowerName: string) => boolean {
  if (ours.length === 0) return () => false;
  return (name) => LIMIT_HEADER.test(name) && ours.includes(name);
}
