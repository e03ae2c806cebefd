import { describe, expect, it } from 'vitest';
import { LimitFills } from '../../src/metrics/limit-fill.ts';
import { view } from './ended-request.ts';

const RATE = {
  kind: 'rate',
  name: 'model_tokens_per_minute',
  counts: 'model_tokens',
  periodMs: 60_000,
  amount: 1_000,
  burst: 1_000,
} as const;

const at = (fills: LimitFills, nowMs: number) =>
  [...fills.at(nowMs)].map(({ owner, limit, used, size }) => [owner, limit, used, size]);

describe('How full limits are', () => {
  it('is kept of owners that the configuration names, never of keys and customers', () => {
    const fills = new LimitFills();
    const owners = [
      'gateway',
      'team:search',
      'model:gpt-4o*',
      'feature:search/complete',
      'key:a',
      'customer:search/acme',
    ];
    fills.learn(
      [...owners, 'keyring', 'teams', ''].map((owner) => view({ owner })),
      0,
    );
    expect(
      [...fills.at(0)].map(({ ownerKind, owner, period, used }) => [ownerKind, owner, period, used]),
    ).toEqual([
      ['gateway', 'gateway', 'day', 600],
      ['team', 'team:search', 'day', 600],
      ['model', 'model:gpt-4o*', 'day', 600],
      ['feature', 'feature:search/complete', 'day', 600],
    ]);
  });

  it('is nothing once a window is over', () => {
    const fills = new LimitFills();
    fills.learn([view({ owner: 'gateway', untilFullMs: 10_000 })], 5_000);
    expect(at(fills, 14_999)).toEqual([['gateway', 'model_tokens_per_day', 600, 1_000]]);
    expect(at(fills, 15_000)).toEqual([['gateway', 'model_tokens_per_day', 0, 1_000]]);
  });

  it('sinks as a rate refills', () => {
    const fills = new LimitFills();
    fills.learn([view({ owner: 'gateway', limit: RATE, untilFullMs: 36_000 })], 0);
    expect(at(fills, 18_000)).toEqual([['gateway', 'model_tokens_per_minute', 300, 1_000]]);
    expect(at(fills, 36_000)).toEqual([['gateway', 'model_tokens_per_minute', 0, 1_000]]);
  });

  it('takes the latest word, tells debt, and leaves slots out', () => {
    const fills = new LimitFills();
    const slots = { kind: 'concurrency', name: 'concurrent_requests', slots: 5 } as const;
    fills.learn([view({ owner: 'gateway' }), view({ owner: 'gateway', limit: slots })], 0);
    fills.learn([view({ owner: 'gateway', size: 2_000, available: -50 })], 1);
    expect(at(fills, 2)).toEqual([['gateway', 'model_tokens_per_day', 2_050, 2_000]]);
  });

  it('is forgotten a day after the last request, or when the window is over', () => {
    const fills = new LimitFills();
    const dayMs = 24 * 3_600_000;
    fills.learn(
      [view({ owner: 'gateway', untilFullMs: 1 }), view({ owner: 'team:a', untilFullMs: 20 * dayMs })],
      0,
    );
    expect(at(fills, dayMs).length).toBe(2);
    expect(at(fills, dayMs + 1)).toEqual([['team:a', 'model_tokens_per_day', 600, 1_000]]);
    expect(at(fills, 20 * dayMs + 1)).toEqual([]);
  });

  it('is bounded, however many owners there are', () => {
    const fills = new LimitFills();
    for (let i = 0; i < 6_000; i++) fills.learn([view({ owner: `team:${i}` })], 0);
    expect(at(fills, 0).length).toBe(5_000);
  });
});
