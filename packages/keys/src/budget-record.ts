import { isTime, isWhole, parsed } from './key-record.ts';

/** An amount that holds in place of the one that the configuration names. */
export interface BudgetChange {
  readonly amountNanoUsd: number;
  /** The configuration's holds again from this instant on (milliseconds since 1970); absent: it doesn't by itself. */
  readonly untilMs?: number;
}

/** What is kept of a budget that was changed while Nexus ran. It stays when the change is taken back, without one. */
export interface BudgetRecord {
  readonly kind: 'budget';
  readonly id: string;
  /** How often the record was written. */
  readonly revision: number;
  /** Whose budget it is, as refusals name it: `team:search`. */
  readonly owner: string;
  /** `usd_per_day` or `usd_per_month`. */
  readonly limit: string;
  /** Absent: the configuration's amount holds. */
  readonly change?: BudgetChange;
  /** When it was written (milliseconds since 1970), and by whom, as in an audit record. */
  readonly setMs: number;
  readonly setBy: string;
}

/** The id of a budget's record. No key has such a one: their ids hold no colon. */
export function budgetId(owner: string, limit: string): string {
  return `budget:${owner}/${limit}`;
}

/** The change that holds at an instant. */
export function changeAt(record: BudgetRecord | undefined, nowMs: number): BudgetChange | undefined {
  const change = record?.change;
  return change?.untilMs !== undefined && nowMs >= change.untilMs ? undefined : change;
}

/** Reads what a keeper wrote; undefined if it is anything else. A budget that is half right would give out more than was meant. */
export function readBudget(text: string): BudgetRecord | undefined {
  const given = parsed(text);
  if (given?.kind !== 'budget') return undefined;
  const { id, revision, owner, limit, change, setMs, setBy } = given;
  if (typeof owner !== 'string' || typeof limit !== 'string' || id !== budgetId(owner, limit))
    return undefined;
  if (!isWhole(revision) || !isTime(setMs) || typeof setBy !== 'string') return undefined;
  const read = change === undefined ? undefined : readChange(change);
  if (change !== undefined && read === undefined) return undefined;
  return Object.freeze({
    kind: 'budget',
    id,
    revision,
    owner,
    limit,
    ...(read === undefined ? {} : { change: read }),
    setMs,
    setBy,
  });
}

function readChange(given: unknown): BudgetChange | undefined {
  if (typeof given !== 'object' || given === null || !('amountNanoUsd' in given)) return undefined;
  const { amountNanoUsd } = given;
  const untilMs = 'untilMs' in given ? given.untilMs : undefined;
  if (!isWhole(amountNanoUsd) || (untilMs !== undefined && !isTime(untilMs))) return undefined;
  return Object.freeze({ amountNanoUsd, ...(untilMs === undefined ? {} : { untilMs }) });
}
