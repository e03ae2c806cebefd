import type { BucketLimit, Denied } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import { refusalReply, sizeReply } from '../../src/reply/refusal.ts';

const NOW = Date.UTC(2026, 10, 22, 21, 0, 0);

const rate = (
  counts: 'requests' | 'model_tokens',
  periodMs: number,
  amount: number,
  burst = amount,
): BucketLimit => ({
  kind: 'rate',
  name: `${counts}_per_something`,
  counts,
  periodMs,
  amount,
  burst,
});

function denied(
  limit: BucketLimit,
  size: number,
  used: number,
  requested: number,
  retryAfterMs: number | 'never',
): Denied {
  return {
    admitted: false,
    refusal: { owner: 'key:a', limit, size, used, requested },
    retryAfterMs,
    buckets: [],
  };
}

describe('the reply to a denial', () => {
  it("words a token rate as OpenAI does, with the limit's name at the end", () => {
    const reply = refusalReply(
      denied(rate('model_tokens', 60_000, 50_000), 50_000, 47_949, 3_006, 1_146),
      'gpt-4o',
      NOW,
    );
    expect(reply.message).toBe(
      'Rate limit reached for gpt-4o in key:a on tokens per min (TPM): Limit 50000, Used 47949, Requested 3006. Please try again in 1.146s. Limit: key:a/model_tokens_per_something.',
    );
    expect(reply).toMatchObject({
      type: 'tokens',
      code: 'rate_limit_exceeded',
      retryAfterMs: 1146,
      shouldRetry: undefined,
    });
    expect(reply.limit).toBe('key:a/model_tokens_per_something');
  });

  it('counts the bucket, and says how it refills where its size is not the rate', () => {
    const reply = refusalReply(denied(rate('requests', 1_000, 10, 20), 20, 20, 1, 100), undefined, NOW);
    expect(reply.message).toContain(
      'for requests in key:a on requests per sec (RPS): Limit 20, Used 20, Requested 1.',
    );
    expect(reply.message).toContain('(10 come back each second)');
    expect(reply.type).toBe('requests');
  });

  it('tells SDKs not to retry when the wait is over a minute, since some sleep all of it', () => {
    expect(refusalReply(denied(rate('requests', 3_600_000, 2), 2, 2, 1, 60_001), 'm', NOW).shouldRetry).toBe(
      false,
    );
    expect(
      refusalReply(denied(rate('requests', 3_600_000, 2), 2, 2, 1, 60_000), 'm', NOW).shouldRetry,
    ).toBeUndefined();
  });

  it('tells a request that can never fit that it is too large, without a time', () => {
    const reply = refusalReply(
      denied(rate('model_tokens', 60_000, 30_000), 30_000, 0, 34_307, 'never'),
      'gpt-4o',
      NOW,
    );
    expect(reply.message).toMatch(
      /^Request too large for gpt-4o .*Limit 30000, Used 0, Requested 34307\. The input or output tokens must be reduced/,
    );
    expect(reply).toMatchObject({ retryAfterMs: undefined, shouldRetry: false, code: 'rate_limit_exceeded' });
  });

  it('calls a limit of 0 by what it is', () => {
    const reply = refusalReply(denied(rate('requests', 1_000, 0), 0, 0, 1, 'never'), 'm', NOW);
    expect(reply.message).toContain('lets nothing through');
  });

  it("answers a day's amount as a quota: no time to sleep, but when it renews", () => {
    const day: BucketLimit = {
      kind: 'calendar',
      name: 'model_tokens_per_day',
      counts: 'model_tokens',
      period: 'day',
      amount: 100,
      timeZone: 'UTC',
    };
    const reply = refusalReply(denied(day, 100, 90, 20, 3 * 3_600_000), 'm', NOW);
    expect(reply).toMatchObject({
      type: 'insufficient_quota',
      code: 'insufficient_quota',
      retryAfterMs: undefined,
      shouldRetry: false,
    });
    expect(reply.message).toContain('It renews at 2026-11-23T00:00:00.000Z, in 3h0m0s.');
  });

  it.each([-700, 8, 1_300])(
    'says the minute at which a day begins, %i ms of another clock aside',
    (offMs) => {
      const day: BucketLimit = {
        kind: 'calendar',
        name: 'usd_per_day',
        counts: 'usd',
        period: 'day',
        amount: 100,
        timeZone: 'UTC',
      };
      const { message } = refusalReply(denied(day, 100, 90, 20, 3 * 3_600_000 + offMs), 'm', NOW);
      expect(message).toContain('It renews at 2026-11-23T00:00:00.000Z, in ');
    },
  );

  it('refuses what is larger than any single request may be', () => {
    const reply = sizeReply('key:a', { kind: 'size', name: 'max_output_tokens', amount: 100 }, 200, 'm');
    expect(reply).toMatchObject({
      limit: 'key:a/max_output_tokens',
      shouldRetry: false,
      retryAfterMs: undefined,
    });
    expect(reply.message).toContain('Limit 100, Requested 200');
  });
});
