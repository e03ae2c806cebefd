import type { AuditView } from './audit.ts';
import { type BudgetChange, type BudgetRecord, budgetId, changeAt } from './budget-record.ts';
import { type Doer, makeChange } from './changing.ts';
import { IssuingError } from './issuing.ts';
import type { KeyKeeper } from './key-keeper.ts';

/** A budget, and the amount that the configuration gives it. */
export interface Budget {
  /** As refusals name it: `team:search`. */
  readonly owner: string;
  /** `usd_per_day` or `usd_per_month`. */
  readonly limit: string;
  /** Null: the configuration names no such budget any more. */
  readonly configuredNanoUsd: number | null;
}

/**
 * Lets another amount hold than the configuration's.
 * @throws IssuingError `full`; whatever the keeper rejects with
 */
export function changeBudget(
  keeper: KeyKeeper,
  budget: Budget,
  change: BudgetChange,
  doer: Doer,
): Promise<BudgetRecord> {
  return put(keeper, budget, 'budget changed', doer, () => change);
}

/**
 * Lets the configuration's amount hold again.
 * @throws IssuingError `unchanged`; whatever the keeper rejects with
 */
export function restoreBudget(keeper: KeyKeeper, budget: Budget, doer: Doer): Promise<BudgetRecord> {
  return put(keeper, budget, 'budget restored', doer, (kept) => {
    if (changeAt(kept, doer.nowMs)) return undefined;
    throw new IssuingError('unchanged', nameOf(budget));
  });
}

async function put(
  keeper: KeyKeeper,
  budget: Budget,
  action: 'budget changed' | 'budget restored',
  doer: Doer,
  changed: (kept: BudgetRecord | undefined) => BudgetChange | undefined,
): Promise<BudgetRecord> {
  const { owner, limit } = budget;
  const id = budgetId(owner, limit);
  const record = await makeChange<BudgetRecord>(
    keeper,
    {
      action,
      subject: nameOf(budget),
      find: () => keeper.findBudget(id),
      next: (kept) => {
        const change = changed(kept);
        const revision = (kept?.revision ?? 0) + 1;
        const written = { setMs: doer.nowMs, setBy: doer.by };
        return {
          kind: 'budget',
          id,
          revision,
          owner,
          limit,
          ...(change === undefined ? {} : { change }),
          ...written,
        };
      },
      shown: (kept) => shownBudget(budget, changeAt(kept, doer.nowMs)),
    },
    doer,
  );
  if (record === 'full') throw new IssuingError('full', nameOf(budget));
  return record;
}

function nameOf({ owner, limit }: Budget): string {
  return `${owner}/${limit}`;
}

const NANO_PER_USD = 1e9;

/** What holds of a budget, as an audit record shows it. */
function shownBudget({ configuredNanoUsd }: Budget, change: BudgetChange | undefined): AuditView {
  const nano = change?.amountNanoUsd ?? configuredNanoUsd;
  const untilMs = change?.untilMs;
  return {
    amount_usd: nano === null ? null : nano / NANO_PER_USD,
    source: change ? 'change' : 'configuration',
    until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
  };
}
