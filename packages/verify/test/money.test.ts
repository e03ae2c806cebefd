import { describe, expect, it } from 'vitest';
import type { Call } from '../src/call.ts';
import { tooDear } from '../src/drive/money.ts';
import { planRun } from '../src/drive/plan.ts';
import { reportOf } from '../src/report-of.ts';
import { listedAt, perSecond, told } from './listed.ts';
import { optionsFor } from './running-gateway.ts';

const BUDGET = 'team:a/usd_per_month';
const budget = (available: number) =>
  told(BUDGET, {
    kind: 'calendar',
    counts: 'usd',
    amount: 10.5,
    period: 'month',
    time_zone: 'UTC',
    available,
  });
const call: Call = {
  place: 0,
  sentMs: 0,
  answeredMs: 1,
  endedMs: 2,
  outcome: 'admitted',
  usage: { inputTokens: 9, outputTokens: 1 },
};

describe('a budget', () => {
  it('is read in dollars, and never driven', () => {
    const before = listedAt(0, [perSecond(10), budget(4.25)]);
    expect(before.buckets[1]).toMatchObject({ size: 10_500_000_000, available: 4_250_000_000 });
    const { floods, left } = planRun(before, optionsFor('http://nexus'), true);
    expect(floods.flatMap(({ limits }) => limits)).toEqual(['key:a/requests_per_second']);
    expect(left.get(BUDGET)).toBe('money is only read');
    const run = {
      urls: [],
      places: [],
      before,
      after: before,
      phases: [],
      left,
      waits: [],
      notes: [],
      disagreements: [],
    };
    expect(reportOf(run, false).limits[1]).toMatchObject({
      state: 'not driven',
      promise: '$10.50 a month in UTC',
      note: 'money is only read',
    });
  });

  it('of which a run would take more than half stops it', () => {
    const before = listedAt(0, [budget(1)]);
    // 10 tokens cost $0.0001.
    const after = listedAt(9, [budget(0.9999)]);
    expect(tooDear(before, after, [call], 40_000)).toBeUndefined();
    expect(tooDear(before, after, [call], 60_000)).toBe(
      `the run would cost about $0.60, and ${BUDGET} has $1.00 left`,
    );
    expect(tooDear(before, listedAt(9, [budget(0)]), [call], 1)).toContain('has $0.000000 left');
  });
});
