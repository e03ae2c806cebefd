import type { BucketView } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import { isOverruled, limitHeaders } from '../../src/reply/limit-headers.ts';

function view(
  owner: string,
  counts: 'requests' | 'model_tokens' | 'input_tokens',
  size: number,
  available: number,
): BucketView {
  const limit = {
    kind: 'rate',
    name: `${counts}_per_minute`,
    counts,
    periodMs: 60_000,
    amount: size,
    burst: size,
  } as const;
  return { owner, limit, size, available, untilFullMs: ((size - available) / size) * 60_000 };
}

describe('the limit headers', () => {
  it("tell of the tightest bucket of each family, as OpenAI's do", () => {
    const buckets = [
      view('gateway', 'requests', 5000, 4999),
      view('key:a', 'requests', 60, 10),
      view('key:a', 'model_tokens', 160_000, 159_976),
    ];
    expect(limitHeaders(buckets, 'openai', 0)).toEqual([
      ...[
        'x-ratelimit-limit-requests',
        '60',
        'x-ratelimit-remaining-requests',
        '10',
        'x-ratelimit-reset-requests',
        '50s',
      ],
      ...[
        'x-ratelimit-limit-tokens',
        '160000',
        'x-ratelimit-remaining-tokens',
        '159976',
        'x-ratelimit-reset-tokens',
        '9ms',
      ],
    ]);
  });

  it('never tell of less than nothing', () => {
    expect(limitHeaders([view('key:a', 'requests', 10, -3)], 'openai', 0)).toContain('0');
  });

  it("are Anthropic's on its paths, with the time in RFC 3339", () => {
    expect(limitHeaders([view('key:a', 'input_tokens', 60, 30)], 'anthropic', 0)).toEqual([
      'anthropic-ratelimit-input-tokens-limit',
      '60',
      'anthropic-ratelimit-input-tokens-remaining',
      '30',
      'anthropic-ratelimit-input-tokens-reset',
      '1970-01-01T00:00:30.000Z',
    ]);
  });

  it("take the place of the upstream's own of the same name, and of no other", () => {
    const ours = limitHeaders([view('key:a', 'requests', 10, 3)], 'openai', 0);
    expect(isOverruled('x-ratelimit-limit-requests', ours)).toBe(true);
    expect(isOverruled('x-ratelimit-limit-tokens', ours)).toBe(false);
    expect(isOverruled('x-request-id', ours)).toBe(false);
  });
});
