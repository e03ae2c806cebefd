import { csvLine } from './csv.ts';
import { NO_NAME, reportValues, type UsageReport } from './usage-report.ts';
import type { UsageTotals } from './usage-totals.ts';
import { usdText } from './usd.ts';

/** The forms of a report. */
export const REPORT_FORMATS = ['table', 'csv', 'json'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

/** A report as text, with a newline at its end. */
export function reportText(report: UsageReport, format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify(reportJson(report), null, 2)}\n`;
  return format === 'csv' ? csv(report) : table(report);
}

/** A report as the admin API gives it. Names that aren't there are null; US dollars are decimal text. */
export function reportJson({ since, until, timeZone, by, rows, groups, total }: UsageReport) {
  const named = (names: readonly string[]) =>
    Object.fromEntries(names.map((name, index) => [by[index] ?? '', name === '' ? null : name]));
  return {
    since,
    until,
    time_zone: timeZone,
    by,
    rows: rows.map(({ names, totals }) => ({ ...named(names), ...numbers(totals) })),
    groups: groups.map(({ names, totals }) => ({ ...named(names), ...numbers(totals) })),
    total: numbers(total),
  };
}

function numbers(totals: UsageTotals) {
  return {
    ...Object.fromEntries(reportValues(totals).map(([name, value]) => [name, Number(value)])),
    cost_usd: usdText(totals.costNanoUsd),
  };
}

/** One line a row, without sums: a spreadsheet makes its own. */
function csv({ by, rows }: UsageReport): string {
  const columns = reportValues({ ...NOTHING }).map(([name]) => name);
  const lines = rows.map(({ names, totals }) =>
    csvLine([...names, ...reportValues(totals).map(([, value]) => value), usdText(totals.costNanoUsd)]),
  );
  return [csvLine([...by, ...columns, 'cost_usd']), ...lines].join('');
}

const NOTHING: UsageTotals = {
  requests: 0,
  givenBack: 0,
  unpriced: 0,
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  costNanoUsd: 0n,
};

function table(report: UsageReport): string {
  const { since, until, timeZone, by, rows, groups, total } = report;
  const columns = ['requests', 'input tokens', 'cached', 'output tokens', 'US dollars'];
  const cells = (totals: UsageTotals) => [
    grouped(totals.requests),
    grouped(totals.inputTokens),
    grouped(totals.cachedInputTokens),
    grouped(totals.outputTokens),
    centsUp(totals.costNanoUsd),
  ];
  const shown = (names: readonly string[]) =>
    by.map((dimension, index) => visible(names[index] || NO_NAME[dimension]));
  const lines: string[][] = [[...by, ...columns]];
  let next = 0;
  for (const [index, { names, totals }] of rows.entries()) {
    lines.push([...shown(names), ...cells(totals)]);
    const isLast = rows[index + 1]?.names[0] !== names[0];
    const group = groups[next];
    if (!group || !isLast) continue;
    next += 1;
    const [name = ''] = shown(group.names);
    lines.push([name, 'in all', ...by.slice(2).map(() => ''), ...cells(group.totals)], []);
  }
  if (groups.length === 0) lines.push([]);
  lines.push(by.length === 0 ? cells(total) : ['in all', ...by.slice(1).map(() => ''), ...cells(total)]);
  const notes = [
    total.givenBack > 0 ? `${grouped(total.givenBack)} requests got everything back and cost nothing.\n` : '',
    total.unpriced > 0
      ? `${grouped(total.unpriced)} requests have no cost: the price of their model isn't known (see \`prices\`).\n`
      : '',
  ];
  const heading = `Usage from ${since} to ${until} (${timeZone})\n\n`;
  return `${heading}${aligned(lines, by.length)}${notes.some((note) => note !== '') ? '\n' : ''}${notes.join('')}`;
}

/** Lines of cells below each other: the first `names` to the left, numbers to the right. */
function aligned(lines: readonly (readonly string[])[], names: number): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  return lines
    .map((cells) =>
      cells
        .map((cell, column) =>
          column < names ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** 1234567 → `1,234,567` */
function grouped(value: number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Dollars with six decimals at most, the rest rounded up: nobody pays less than the sum of what they see. */
function centsUp(nano: bigint): string {
  const text = usdText(((nano + 999n) / 1_000n) * 1_000n);
  const [dollars = '', decimals = ''] = text.split('.');
  return `${grouped(BigInt(dollars))}.${decimals}`;
}

/** A name can't move the cursor of a terminal, nor hide. */
function visible(name: string): string {
  return name.replace(/[^\x20-\x7e\u00a0-\uffff]|[\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
