import type { UsageSource } from './ledger-store.ts';
import type { Dimension, UsageQuery, UsageRow } from './usage-query.ts';
import { addTotals, noUsage, type UsageTotals } from './usage-totals.ts';

/** What was used between two days, by whom and of what. */
export interface UsageReport extends UsageQuery {
  /** Whose days they are. */
  readonly timeZone: string;
  /** In the order of their names. */
  readonly rows: readonly UsageRow[];
  /** What the rows come to that share their first name, in the order of the rows; only where they have more names than one. */
  readonly groups: readonly UsageRow[];
  readonly total: UsageTotals;
}

/** Reads a report, adds it up, and puts it in order. */
export async function usageReport(
  source: Pick<UsageSource, 'usage'>,
  query: UsageQuery,
  timeZone: string,
): Promise<UsageReport> {
  const rows = [...(await source.usage(query))].sort(byNames);
  const total = noUsage();
  const groups: UsageRow[] = [];
  for (const { names, totals } of rows) {
    addTotals(total, totals);
    if (names.length < 2) continue;
    const [name = ''] = names;
    let group = groups.at(-1);
    if (group?.names[0] !== name) {
      group = { names: [name], totals: noUsage() };
      groups.push(group);
    }
    addTotals(group.totals, totals);
  }
  return { ...query, timeZone, rows, groups, total };
}

/** The columns of a report that are numbers, by the names that users see. */
export function reportValues(
  totals: UsageTotals,
): readonly (readonly [name: string, value: number | bigint])[] {
  return [
    ['requests', totals.requests],
    ['given_back', totals.givenBack],
    ['unpriced', totals.unpriced],
    ['input_tokens', totals.inputTokens],
    ['cached_input_tokens', totals.cachedInputTokens],
    ['cache_write_tokens', totals.cacheWriteTokens],
    ['output_tokens', totals.outputTokens],
    ['reasoning_tokens', totals.reasoningTokens],
  ];
}

/** What stands in place of a name that a request didn't have. */
export const NO_NAME: Readonly<Record<Dimension, string>> = {
  day: '',
  month: '',
  team: '(no team)',
  key: '(no key)',
  customer: '(no customer)',
  feature: '(no feature)',
  model: '(unread)',
  upstream: '(default)',
  tenant: 'default',
};

function byNames({ names: one }: UsageRow, { names: other }: UsageRow): number {
  for (const [index, name] of one.entries()) {
    const than = other[index] ?? '';
    if (name !== than) return name < than ? -1 : 1;
  }
  return 0;
}
