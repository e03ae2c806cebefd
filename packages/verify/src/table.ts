import { percent, seconds } from './judge/verdict.ts';
import type { LimitRow, Report } from './report.ts';

const HEADING = ['limit', 'promise', 'allowed', 'let through', 'used', 'worst window', 'verdict'];

/** The report for people: a table, what else was seen, and the verdict as the last line. */
export function reportText(report: Report): string {
  const lines = [...table(report.limits.map(cellsOf)), ''];
  for (const { limit, note } of report.limits) if (note) lines.push(`${limit}: ${note}.`);
  lines.push(...refusalLines(report), ...placeLines(report));
  for (const { what, count } of report.others)
    lines.push(`${count} calls were neither let through nor refused by Nexus: ${what}.`);
  for (const note of report.notes) lines.push(`${note}.`);
  for (const disagreement of report.disagreements) lines.push(`Disagreement: ${disagreement}.`);
  lines.push('', `verdict: ${report.verdict}`);
  return `${lines.join('\n')}\n`;
}

function cellsOf({
  limit,
  promise,
  allowed,
  through,
  usedShare,
  worst,
  state,
  isUnderUsed,
}: LimitRow): string[] {
  return [
    limit,
    promise,
    allowed === undefined ? '–' : String(allowed),
    through === undefined ? '–' : String(through),
    usedShare === undefined ? '–' : percent(usedShare),
    worst === undefined ? '–' : windowText(worst),
    isUnderUsed && state === 'held' ? 'held, under-used' : state,
  ];
}

function windowText({ over, fromMs, toMs }: { over: number; fromMs: number; toMs: number }): string {
  return over > 0 ? `${over} over in (${seconds(fromMs)}, ${seconds(toMs)}]` : 'none over';
}

function table(rows: readonly string[][]): string[] {
  const all = [HEADING, ...rows];
  const widths = HEADING.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function refusalLines({ refusals, waits }: Report): string[] {
  const lines = refusals.problems.map(({ what, count }) => `${count} of ${refusals.seen} refusals: ${what}.`);
  if (lines.length === 0 && refusals.seen > 0)
    lines.push(`${refusals.seen} refusals: all in the shape that SDKs understand.`);
  for (const { result, limit, waitMs } of waits) {
    if (result === 'skipped') continue;
    const told = `A client that was told by ${limit} to wait ${waitMs} ms waited so long, and`;
    lines.push(result === 'true' ? `${told} was let through.` : `${told} was refused again.`);
  }
  return lines;
}

function placeLines({ places, tokens }: Report): string[] {
  const driven = places.filter(({ sent }) => sent > 0);
  const all = driven.reduce((sum, { admitted }) => sum + admitted, 0);
  const lines = driven.map(
    ({ url, sent, admitted, refused, other }) =>
      `${url}: ${sent} calls, ${admitted} let through${
        driven.length > 1 ? ` (${percent(all > 0 ? admitted / all : 0)} of all)` : ''
      }, ${refused} refused${other > 0 ? `, ${other} other` : ''}.`,
  );
  if (tokens > 0) lines.push(`The answers reported ${tokens} tokens.`);
  return lines;
}
