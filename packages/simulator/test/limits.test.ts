import { describe, expect, it } from 'vitest';
import { goDuration } from '../src/go-duration.ts';
import { startSimulator } from '../src/index.ts';
import { TierLimiter } from '../src/limits.ts';
import { at, chat, jsonOf, post } from './wire.ts';

describe('times as Go writes them', () => {
  it.each([
    [0, '0s'],
    [0.4, '0s'],
    [9, '9ms'],
    [84.3, '84ms'],
    [1_000, '1s'],
    [8_640, '8.64s'],
    [11_054, '11.054s'],
    [360_000, '6m0s'],
    [432_000, '7m12s'],
    [1_728_000, '28m48s'],
    [3_723_000, '1h2m3s'],
    [86_400_000, '24h0m0s'],
    [-5, '0s'],
  ])('%d ms are %s', (ms, text) => {
    expect(goDuration(ms)).toBe(text);
  });
});

describe('the tier’s buckets', () => {
  // The published refusals: limit, used, requested and the wait that they told.
  it.each([
    [{ tokensPerMinute: 50_000 }, 47_949, 3_006, '1.146s'],
    [{ tokensPerMinute: 200_000 }, 195_869, 4_412, '84ms'],
    [{ tokensPerMinute: 30_000 }, 22_999, 12_528, '11.054s'],
  ])('refuse as OpenAI did: %j with %i used and %i requested', (tier, used, requested, wait) => {
    const limiter = new TierLimiter(tier, () => 0);
    expect(limiter.admit('a', used).refusal).toBeUndefined();
    const refusal = limiter.admit('a', requested).refusal;
    expect(refusal).toMatchObject({ type: 'tokens', used, requested });
    expect(goDuration(Number(refusal?.waitMs))).toBe(wait);
  });

  it.each([
    [{ requestsPerMinute: 3 }, 3, '20s'],
    [{ requestsPerDay: 200 }, 200, '7m12s'],
    [{ requestsPerDay: 50 }, 50, '28m48s'],
    [{ requestsPerDay: 2_000 }, 2_000, '43.2s'],
  ])('refuse the request after the last of %j', (tier, requests, wait) => {
    const limiter = new TierLimiter(tier, () => 0);
    for (let i = 0; i < requests; i++) expect(limiter.admit('a', 1).refusal).toBeUndefined();
    const refusal = limiter.admit('a', 1).refusal;
    expect(refusal).toMatchObject({ type: 'requests', used: requests, requested: 1 });
    expect(goDuration(Number(refusal?.waitMs))).toBe(wait);
  });

  it('admit exactly when the wait is over, and a refusal takes nothing', () => {
    let nowMs = 0;
    const limiter = new TierLimiter({ tokensPerMinute: 60_000, requestsPerMinute: 100 }, () => nowMs);
    limiter.admit('a', 60_000);
    expect(limiter.admit('a', 500).refusal?.waitMs).toBe(500);
    nowMs = 499;
    const refused = limiter.admit('a', 500);
    expect(refused.refusal?.waitMs).toBeCloseTo(1, 6);
    expect(refused.requests.remaining).toBe(99);
    nowMs = 500;
    expect(limiter.admit('a', 500).refusal).toBeUndefined();
    expect(limiter.admit('b', 60_000).refusal).toBeUndefined();
  });

  it('never admit what is larger than the limit', () => {
    const limiter = new TierLimiter({ tokensPerMinute: 10 }, () => 0);
    expect(limiter.admit('a', 11).refusal?.waitMs).toBe('never');
  });
});

describe('a simulator with a tier', () => {
  it('shows the headers of a published sample', async () => {
    const simulator = await startSimulator({
      tier: { requestsPerMinute: 5_000, tokensPerMinute: 160_000 },
      nowMs: () => 0,
    });
    const { headers } = await post(simulator.url, '/v1/chat/completions', chat({ max_tokens: 24 }));
    expect(
      ['limit', 'remaining', 'reset'].flatMap((what) => [
        headers.get(`x-ratelimit-${what}-requests`),
        headers.get(`x-ratelimit-${what}-tokens`),
      ]),
    ).toEqual(['5000', '160000', '4999', '159976', '12ms', '9ms']);
    await simulator.close();
  });

  it('refuses in OpenAI’s words, for each credential and model by itself, and recovers', async () => {
    let nowMs = 0;
    const simulator = await startSimulator({
      tier: { requestsPerMinute: 3, tokensPerMinute: 1_000 },
      nowMs: () => nowMs,
    });
    const ask = (more: object = {}, headers: Record<string, string> = {}) =>
      post(simulator.url, '/v1/chat/completions', chat(more), headers);
    for (let i = 0; i < 3; i++) expect((await ask()).status).toBe(200);
    const refused = await ask();
    expect([
      refused.status,
      refused.headers.get('retry-after'),
      refused.headers.get('retry-after-ms'),
    ]).toEqual([429, '20', '20000']);
    expect(at(await jsonOf(refused), 'error')).toEqual({
      message:
        'Rate limit reached for gpt-4o-mini in organization org-simulated on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit https://platform.openai.com/account/rate-limits to learn more.',
      type: 'requests',
      param: null,
      code: 'rate_limit_exceeded',
    });
    expect((await ask({ model: 'gpt-4o' })).status).toBe(200);
    expect((await ask({}, { authorization: 'Bearer sk-other' })).status).toBe(200);
    nowMs = 19_999;
    expect((await ask()).status).toBe(429);
    nowMs = 20_000;
    expect((await ask()).status).toBe(200);
    const large = await ask({ max_tokens: 1_001, model: 'gpt-4.1' });
    expect(large.headers.get('retry-after')).toBeNull();
    expect(at(await jsonOf(large), 'error', 'message')).toMatch(
      /^Request too large for gpt-4\.1 .*Limit 1000, Requested 1001\./,
    );
    await simulator.close();
  });
});
