import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OVERLOAD, planRun } from '../src/drive/plan.ts';
import { listedAt, perDay, perSecond, slots, tokensPerMinute, told } from './listed.ts';
import { optionsFor } from './running-gateway.ts';

const options = optionsFor('http://nexus', { seconds: 20 });
const plan = (buckets: Record<string, unknown>[], more = {}, canList = true) =>
  planRun(listedAt(0, buckets), { ...options, ...more }, canList);

const ofModel = told('model:gpt*/requests_per_minute', {
  kind: 'rate',
  counts: 'requests',
  amount: 30,
  period_ms: 60_000,
});

describe('a plan', () => {
  it('asks for ten times the tightest rate, with calls that cost no tokens', () => {
    const { floods, calls, tokens } = plan([perSecond(10, { size: 20 })]);
    expect(floods).toMatchObject([
      {
        ask: 'list',
        limits: ['key:a/requests_per_second'],
        seconds: 20,
        triesPerSecond: 10 * OVERLOAD,
        calls: 220,
      },
    ]);
    expect({ calls, tokens }).toEqual({ calls: 220, tokens: 0 });
  });

  it('makes chat calls where the upstream lists no models, and for the limits of models', () => {
    expect(plan([perSecond(10)], {}, false).floods).toMatchObject([{ ask: 'chat', outputTokens: 1 }]);
    expect(plan([perSecond(10), ofModel]).floods).toMatchObject([
      { ask: 'list', limits: ['key:a/requests_per_second'] },
      { ask: 'chat', limits: ['model:gpt*/requests_per_minute'] },
    ]);
  });

  it('sends prompts so large that the limit on requests does not bar the way to the one on tokens', () => {
    const [flood] = plan([perSecond(1, { size: 1 }), tokensPerMinute(60_000)]).floods;
    expect(flood?.limits).toEqual(['key:a/model_tokens_per_minute']);
    // 80,000 tokens in 20 seconds, in half of the 21 calls that are allowed.
    expect(flood?.inputTokens).toBeGreaterThan(80_000 / 21);
    expect(flood?.inputTokens).toBeLessThanOrEqual(60_000 / 4);
  });

  it('opens more streams than there are slots, and leaves slots that would take too many', () => {
    expect(plan([slots(5)]).hold).toMatchObject({ slots: 5, streams: 7 });
    const { hold, left } = plan([slots(2_000)]);
    expect(hold).toBeUndefined();
    expect(left.get('key:a/concurrent_requests')).toBe('it takes 2200 streams at once: --connections 2200');
  });

  it('leaves a day alone, and half of what is left of it', () => {
    const { floods, left } = plan([perSecond(10), perDay('requests', 1_000, { available: 100 })]);
    expect(left.get('key:a/requests_per_day')).toBe("a day's amount is only read, never driven to its end");
    expect(floods[0]?.calls).toBeLessThanOrEqual(50);
    expect(plan([perSecond(10), perDay('requests', 1_000, { available: 0 })])).toMatchObject({
      floods: [],
      calls: 0,
    });
  });

  it('says what a limit would cost that is beyond the budget', () => {
    const { floods, left } = plan([tokensPerMinute(30_000_000)]);
    expect(floods).toEqual([]);
    expect(left.get('key:a/model_tokens_per_minute')).toMatch(
      /^it takes about \d+ tokens: --token-budget \d+$/,
    );
    const { left: calls } = plan([perSecond(50_000)]);
    expect(calls.get('key:a/requests_per_second')).toMatch(
      /^it takes about 150000 calls: --call-budget 150000$/,
    );
  });

  it('with the budget that it names can be carried out', () => {
    const needed = /--token-budget (\d+)/.exec(
      plan([slots(3), tokensPerMinute(30_000_000)]).left.get('key:a/model_tokens_per_minute') ?? '',
    )?.[1];
    const { floods } = plan([slots(3), tokensPerMinute(30_000_000)], { tokenBudget: Number(needed) });
    expect(floods).toHaveLength(1);
  });

  it('leaves out what lets nothing through', () => {
    const { floods, hold, left } = plan([perSecond(0), slots(0)]);
    expect({ floods, hold }).toEqual({ floods: [], hold: undefined });
    expect([...left.values()]).toEqual(['it lets nothing through', 'it lets nothing through']);
  });

  it('never spends more than its budgets, whatever the limits are', () => {
    const amounts = fc.integer({ min: 0, max: 10_000_000 });
    const limits = fc.record({
      rate: amounts,
      burst: fc.integer({ min: 1, max: 100_000 }),
      tokens: amounts,
      slots: fc.integer({ min: 0, max: 200 }),
      day: amounts,
      tokenBudget: fc.integer({ min: 0, max: 1_000_000 }),
      seconds: fc.integer({ min: 1, max: 600 }),
    });
    fc.assert(
      fc.property(
        limits,
        fc.boolean(),
        ({ rate, burst, tokens, slots: size, day, tokenBudget, seconds }, canList) => {
          const buckets = [
            perSecond(rate, { size: rate === 0 ? 0 : burst }),
            tokensPerMinute(tokens),
            slots(size),
            perDay('requests', day),
          ];
          const made = plan(buckets, { tokenBudget, seconds }, canList);
          expect(made.tokens).toBeLessThanOrEqual(tokenBudget);
          expect(made.calls).toBeLessThanOrEqual(day / 2);
          for (const flood of made.floods) {
            expect(flood.seconds).toBeLessThanOrEqual(Math.max(2, seconds));
            expect(flood.inputTokens + flood.outputTokens).toBeLessThanOrEqual(Math.max(13, tokens / 4));
            expect(Number.isFinite(flood.triesPerSecond)).toBe(true);
          }
          // Every limit is driven or has a reason.
          const driven = [...made.floods.flatMap(({ limits: names }) => names), ...(made.hold?.limits ?? [])];
          for (const { limit } of buckets)
            expect(driven.includes(String(limit)) || made.left.has(String(limit))).toBe(true);
        },
      ),
    );
  });
});
