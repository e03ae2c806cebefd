import type { Config, Principals } from '@nexus/config';
import type { BucketLimit, OwnerLimits, WindowUse } from '@nexus/domain';
import type { UsageRow, UsageSource, UsageTotals } from '@nexus/ledger';
import type { Log } from '@nexus/observe';
import type { ChangedBudgets } from '../budgets/changed-budgets.ts';
import { ownersOf } from '../path/owners.ts';

/** What says whom a record is charged to. */
interface Rules {
  readonly config: Config;
  readonly principals: Principals;
  readonly budgets: ChangedBudgets;
}

/** Whether anybody who is named in the configuration has a limit by day or month. Customers and issued keys have those of their tiers. */
export function hasWindows({ keyLimits, gateway, models, keys, teams }: Config): boolean {
  const owners = [
    keyLimits,
    gateway,
    ...models.map(({ limits }) => limits),
    ...keys.map(({ limits }) => limits),
    ...[...teams.values()].flatMap(({ limits, features }) => [limits, ...features.values()]),
  ];
  return owners.some((owner) => owner?.buckets.some(({ kind }) => kind === 'calendar'));
}

const CHARGED = ['key', 'team', 'customer', 'feature', 'model'] as const;

/**
 * What the ledger has of the day and the month that run, as units of the limits by day and month of everyone that these requests were charged
 * to: what a limiter that has forgotten, or begins, is to count as used. Without it a restart would give a budget twice. A ledger that
 * can't be read tells nothing, and the log says so.
 */
export async function usedOnRecord(
  ledger: Pick<UsageSource, 'usage'>,
  rules: Rules,
  nowMs: number,
  log: Log,
): Promise<readonly WindowUse[]> {
  const { config } = rules;
  if (!hasWindows(config) && config.tiers.length === 0) return [];
  try {
    const { Days } = await import('@nexus/ledger');
    const today = new Days(config.timeZone).of(nowMs);
    const month = await ledger.usage({ since: `${today.slice(0, 7)}-01`, until: today, by: CHARGED });
    const day = await ledger.usage({ since: today, until: today, by: CHARGED });
    const uses = new Map<string, { limits: OwnerLimits; units: number[] }>();
    addUp(uses, 'month', month, rules);
    addUp(uses, 'day', day, rules);
    return [...uses.values()].filter(({ units }) => units.some((count) => count > 0));
  } catch (error) {
    log.error('ledger cannot be read', { error });
    return [];
  }
}

function addUp(
  uses: Map<string, { limits: OwnerLimits; units: number[] }>,
  period: 'day' | 'month',
  rows: readonly UsageRow[],
  { config, principals, budgets }: Rules,
): void {
  for (const { names, totals } of rows) {
    const [keyId = '', teamName = '', name = '', feature, model = ''] = names;
    const key = principals.byId(keyId)?.limits;
    // The team that the key had then: it may have another one now, or be gone.
    const team = config.teams.get(teamName);
    const customer = name === '' ? undefined : team?.customers?.find(name);
    const charged = { key, team, customer, feature, model: model || undefined };
    for (const limits of ownersOf(charged, config, budgets)) {
      if (!limits.buckets.some((limit) => isOf(limit, period))) continue;
      const use = uses.get(limits.owner) ?? { limits, units: limits.buckets.map(() => 0) };
      uses.set(limits.owner, use);
      for (const [place, limit] of use.limits.buckets.entries())
        if (isOf(limit, period)) use.units[place] = (use.units[place] ?? 0) + unitsOf(limit, totals);
    }
  }
}

function isOf(limit: BucketLimit, period: 'day' | 'month'): boolean {
  return limit.kind === 'calendar' && limit.period === period;
}

function unitsOf(limit: BucketLimit, totals: UsageTotals): number {
  if (limit.kind === 'concurrency') return 0;
  if (limit.counts === 'requests') return totals.requests;
  if (limit.counts === 'usd') return Number(totals.costNanoUsd);
  if (limit.counts === 'input_tokens') return totals.inputTokens;
  if (limit.counts === 'output_tokens') return totals.outputTokens;
  return totals.inputTokens + totals.outputTokens;
}
