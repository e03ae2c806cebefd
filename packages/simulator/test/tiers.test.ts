import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startSimulator, TIERS } from '../src/index.ts';
import { TierLimiter } from '../src/limits.ts';
import { MODEL_LIMITS, tierLimits } from '../src/tiers.ts';
import { at, chat, jsonOf, post } from './wire.ts';

const MINUTE_MS = 60_000;

/** Milliseconds of a Go duration. */
function millisecondsOf(text: string): number {
  const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  let sumMs = 0;
  for (const [, number, unit = ''] of text.matchAll(/([\d.]+)(ms|[hms])/g))
    sumMs += Number(number) * (UNITS_MS[unit] ?? Number.NaN);
  return sumMs;
}

describe('the table of tiers', () => {
  it('never gives a higher tier less', () => {
    for (const { name, tiers } of MODEL_LIMITS) {
      const rows = TIERS.map((tier) => tiers[tier]).filter((limits) => limits !== null);
      for (const [lower, higher] of rows.slice(1).map((limits, i) => [rows[i], limits])) {
        expect(higher?.requestsPerMinute, name).toBeGreaterThanOrEqual(lower?.requestsPerMinute ?? Infinity);
        expect(higher?.tokensPerMinute, name).toBeGreaterThanOrEqual(lower?.tokensPerMinute ?? Infinity);
      }
    }
  });

  it('lets dated names share the buckets of their model, and not those of another', () => {
    const groups = ['gpt-4o', 'gpt-4o-2024-08-06', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18'].map(
      (model) => tierLimits('1', model)?.group,
    );
    expect(groups).toEqual(['gpt-4o', 'gpt-4o', 'gpt-4o-mini', 'gpt-4o-mini']);
  });

  it('holds a model that it lacks for a large one, with buckets of its own', () => {
    for (const model of ['gpt-9', 'gpt-4o-audio-preview', 'constructor', '__proto__']) {
      expect(tierLimits('2', model)).toEqual({
        group: model,
        limits: { requestsPerMinute: 5_000, tokensPerMinute: 450_000 },
      });
    }
  });
});

describe('a simulator of one of OpenAI’s tiers', () => {
  const ask = (url: string, key: string, more: object) =>
    post(url, '/v1/chat/completions', chat(more), { authorization: `Bearer ${key}` });

  it('shows the headers of an account in tier 1: the day’s requests and the minute’s tokens', async () => {
    await using simulator = await started({ tier: '1', nowMs: () => 0 });
    const { headers } = await ask(simulator.url, 'a', { max_tokens: 22 });
    // As gpt-4o-mini answered on 2024-12-25 with a request of 22 tokens.
    expect([...headers].filter(([name]) => name.startsWith('x-ratelimit'))).toEqual([
      ['x-ratelimit-limit-requests', '10000'],
      ['x-ratelimit-limit-tokens', '200000'],
      ['x-ratelimit-remaining-requests', '9999'],
      ['x-ratelimit-remaining-tokens', '199978'],
      ['x-ratelimit-reset-requests', '8.64s'],
      ['x-ratelimit-reset-tokens', '6ms'],
    ]);
  });

  it('refuses the fourth request of a minute in the free tier, and doesn’t have the large models there', async () => {
    await using simulator = await started({ tier: 'free', nowMs: () => 0 });
    const statuses: number[] = [];
    for (const model of ['gpt-4o-mini', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18'])
      statuses.push((await ask(simulator.url, 'a', { model })).status);
    expect(statuses).toEqual([200, 200, 200]);
    const refused = await ask(simulator.url, 'a', {});
    expect(at(await jsonOf(refused), 'error', 'message')).toContain(
      'on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s.',
    );
    const large = await ask(simulator.url, 'a', { model: 'gpt-4o' });
    expect([large.status, at(await jsonOf(large), 'error', 'code')]).toEqual([404, 'model_not_found']);
  });

  it('counts the larger of max_tokens and the prompt, not what the answer used', async () => {
    await using simulator = await started({ tier: '1', nowMs: () => 0 });
    const left = async (key: string, more: object) =>
      (await ask(simulator.url, key, more)).headers.get('x-ratelimit-remaining-tokens');
    expect(await left('a', { max_tokens: 16_000 })).toBe('184000');
    const messages = [{ role: 'user', content: 'word'.repeat(1_000) }];
    expect(await left('b', { max_tokens: 10, messages })).toBe(`${200_000 - 1_006}`);
  });

  it('answers insufficient_quota for good once a key has used its quota, and nobody else', async () => {
    let nowMs = 0;
    await using simulator = await started({ tier: '1', quotaTokens: 1_000, nowMs: () => nowMs });
    expect((await ask(simulator.url, 'a', { max_tokens: 999 })).status).toBe(200);
    expect((await ask(simulator.url, 'a', { max_tokens: 999 })).status).toBe(200);
    nowMs = 10 * 86_400_000;
    const refused = await ask(simulator.url, 'a', { max_tokens: 1 });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, null]);
    expect(at(await jsonOf(refused), 'error')).toMatchObject({
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    });
    expect((await ask(simulator.url, 'b', { max_tokens: 1 })).status).toBe(200);
  });

  it('refuses options that make no sense', async () => {
    await expect(startSimulator({ quotaTokens: Number.NaN })).rejects.toThrow(RangeError);
    await expect(startSimulator({ quotaTokens: -1 })).rejects.toThrow('quotaTokens');
  });
});

describe('refusals of random calls', () => {
  const limit = 30_000;
  const calls = fc.array(fc.record({ waitMs: fc.nat(20_000), tokens: fc.integer({ min: 1, max: limit }) }), {
    minLength: 1,
    maxLength: 60,
  });

  it('are right to the millisecond: refused just before their wait is over, let through then', () => {
    fc.assert(
      fc.property(calls, (list) => {
        let nowMs = 0;
        const limiter = new TierLimiter({ tokensPerMinute: limit }, () => nowMs);
        for (const { waitMs, tokens } of list) {
          nowMs += waitMs;
          const { refusal } = limiter.admit('a', tokens);
          if (refusal === undefined) continue;
          const readyMs = nowMs + Math.ceil(Number(refusal.waitMs) - 1e-6);
          nowMs = readyMs - 1;
          expect(limiter.admit('a', tokens).refusal).toBeDefined();
          nowMs = readyMs;
          expect(limiter.admit('a', tokens).refusal).toBeUndefined();
        }
      }),
    );
  });

  it('let no window have more than the limit and what refills in it', () => {
    fc.assert(
      fc.property(calls, (list) => {
        let nowMs = 0;
        const limiter = new TierLimiter({ tokensPerMinute: limit }, () => nowMs);
        const through: { atMs: number; tokens: number }[] = [];
        for (const { waitMs, tokens } of list) {
          nowMs += waitMs;
          if (limiter.admit('a', tokens).refusal === undefined) through.push({ atMs: nowMs, tokens });
        }
        for (const [i, { atMs: fromMs }] of through.entries()) {
          let sum = 0;
          for (const { atMs, tokens } of through.slice(i)) {
            sum += tokens;
            expect(sum).toBeLessThanOrEqual(limit + ((atMs - fromMs) / MINUTE_MS) * limit + 1e-3);
          }
        }
      }),
    );
  });

  /** So many in so short a time that most are refused. */
  const manyCalls = fc.array(
    fc.record({ waitMs: fc.nat(3_000), tokens: fc.integer({ min: 5_000, max: limit }) }),
    { minLength: 30, maxLength: 60 },
  );

  it('tell numbers in their message that fit (Used + Requested − Limit) / Limit × period', async () => {
    let nowMs = 0;
    await using simulator = await started({ tier: '1', nowMs: () => nowMs });
    let owner = 0;
    let refusals = 0;
    await fc.assert(
      fc.asyncProperty(manyCalls, async (list) => {
        owner += 1;
        for (const { waitMs, tokens } of list) {
          nowMs += waitMs;
          const more = { model: 'gpt-4.1', max_tokens: tokens };
          const answer = await post(simulator.url, '/v1/chat/completions', chat(more), {
            authorization: `Bearer key-${owner}`,
          });
          const body = await jsonOf(answer);
          if (answer.status === 200) continue;
          refusals += 1;
          const told = String(at(body, 'error', 'message'));
          const [, size = '', used = '', requested = '', wait = ''] =
            /Limit (\d+), Used (\d+), Requested (\d+)\. Please try again in (\S+)\. /.exec(told) ?? [];
          const formulaMs = ((Number(used) + Number(requested) - Number(size)) / Number(size)) * MINUTE_MS;
          // Used is rounded up to whole tokens, of 2 ms each here, and the wait to whole milliseconds.
          expect(Math.abs(millisecondsOf(wait) - formulaMs), told).toBeLessThanOrEqual(2.5);
          expect(answer.headers.get('retry-after')).toBe(
            `${Math.max(1, Math.ceil(millisecondsOf(wait) / 1_000))}`,
          );
        }
      }),
      { numRuns: 10 },
    );
    expect(refusals).toBeGreaterThan(10);
  });
});

/** A simulator that ends with its scope. */
async function started(options: Parameters<typeof startSimulator>[0]) {
  const simulator = await startSimulator(options);
  return { url: simulator.url, [Symbol.asyncDispose]: () => simulator.close() };
}
