import type { OwnerLimits } from '@nexus/domain';
import type { BudgetRecord } from '@nexus/keys';
import { describe, expect, it } from 'vitest';
import { ChangedBudgets } from '../../src/budgets/changed-budgets.ts';

const usd = (period: 'day' | 'month', amount: number) =>
  ({ kind: 'calendar', name: `usd_per_${period}`, counts: 'usd', period, amount, timeZone: 'UTC' }) as const;
const tokens = { ...usd('day', 9), name: 'model_tokens_per_day', counts: 'model_tokens' } as const;

const TEAM: OwnerLimits = {
  owner: 'team:search',
  buckets: [usd('day', 5), usd('month', 50), tokens],
  sizes: [],
};
const OTHER: OwnerLimits = { ...TEAM, owner: 'team:other' };

function record(limit: string, change: BudgetRecord['change']): BudgetRecord {
  const owner = TEAM.owner;
  const written = { revision: 1, setMs: 0, setBy: 'api:ops' };
  return { kind: 'budget', id: '', owner, limit, ...(change ? { change } : {}), ...written };
}

function changed(...records: BudgetRecord[]) {
  const source = { version: 1, records, budgets: () => source.records };
  const clock = { nowMs: 1_000 };
  return { source, clock, budgets: new ChangedBudgets(source, () => clock.nowMs) };
}

const amounts = (limits: OwnerLimits) => limits.buckets.map((limit) => 'amount' in limit && limit.amount);

describe('changed budgets', () => {
  it('stand in the place of the configuration’s, and nothing else is touched', () => {
    const { budgets } = changed(
      record('usd_per_day', { amountNanoUsd: 8 }),
      record('model_tokens_per_day', { amountNanoUsd: 1_000 }),
      record('usd_per_year', { amountNanoUsd: 1 }),
    );
    expect(amounts(budgets.of(TEAM))).toEqual([8, 50, 9]);
    expect(budgets.of(OTHER)).toBe(OTHER);
    expect(budgets.ofAll([OTHER, TEAM])).toEqual([OTHER, budgets.of(TEAM)]);
    expect(amounts(TEAM)).toEqual([5, 50, 9]);
  });

  it('are the same object until something changes', () => {
    const { budgets, source } = changed(record('usd_per_day', { amountNanoUsd: 8 }));
    expect(budgets.of(TEAM)).toBe(budgets.of(TEAM));
    source.records = [record('usd_per_day', { amountNanoUsd: 3 })];
    expect(amounts(budgets.of(TEAM))[0]).toBe(8);
    source.version = 2;
    expect(amounts(budgets.of(TEAM))[0]).toBe(3);
    source.records = [record('usd_per_day', undefined)];
    source.version = 3;
    expect(budgets.of(TEAM)).toBe(TEAM);
    const owners = [TEAM];
    expect(budgets.ofAll(owners)).toBe(owners);
  });

  it('end each at its instant, and the others hold on', () => {
    const { budgets, clock } = changed(
      record('usd_per_day', { amountNanoUsd: 8, untilMs: 2_000 }),
      record('usd_per_month', { amountNanoUsd: 80, untilMs: 3_000 }),
    );
    expect(amounts(budgets.of(TEAM)).slice(0, 2)).toEqual([8, 80]);
    clock.nowMs = 1_999;
    expect([amounts(budgets.of(TEAM))[0], budgets.live().length]).toEqual([8, 2]);
    clock.nowMs = 2_000;
    expect([amounts(budgets.of(TEAM)).slice(0, 2), budgets.live().length]).toEqual([[5, 80], 1]);
    clock.nowMs = 3_000;
    expect([budgets.of(TEAM), budgets.live()]).toEqual([TEAM, []]);
    expect(budgets.of(TEAM)).toBe(TEAM);
  });

  it('that have ended before they were known mean nothing', () => {
    const { budgets } = changed(record('usd_per_day', { amountNanoUsd: 8, untilMs: 1_000 }));
    expect(budgets.of(TEAM)).toBe(TEAM);
  });
});
