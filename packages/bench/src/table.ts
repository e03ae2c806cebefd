import type { Figure } from './bench.ts';

/** Whether a figure keeps its bound. `unknown`: it has one, but could not be measured. */
export type Verdict = 'met' | 'not met' | 'unknown' | 'no bound';

export function verdictOf({ value, bound }: Figure): Verdict {
  if (bound === undefined) return 'no bound';
  if (value === undefined || Number.isNaN(value)) return 'unknown';
  return value <= bound ? 'met' : 'not met';
}

/** The figures as lines: what was measured, what single rounds said, the bound, the verdict; below each, what it stands on. */
export function tableOf(figures: readonly Figure[]): string {
  const heading = ['', 'figure', 'measured', 'rounds', 'bound', ''];
  const rows = figures.map((figure) => [
    figure.id,
    figure.title,
    measured(figure),
    rounds(figure),
    bound(figure),
    said(figure),
  ]);
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const indent = ' '.repeat((widths[0] ?? 0) + 2);
  const body = rows.flatMap((row, index) => [
    line(row),
    ...(figures[index]?.notes ?? []).map((note) => `${indent}  ${note}`),
  ]);
  return [line(heading), ...body].join('\n');
}

function measured({ value, unit }: Figure): string {
  return value === undefined || Number.isNaN(value) ? '–' : `${shown(value)} ${unit}`;
}

function rounds({ spread }: Figure): string {
  if (spread === undefined || Number.isNaN(spread.median)) return '';
  return `${shown(spread.min)} – ${shown(spread.max)}`;
}

function bound(figure: Figure): string {
  return figure.bound === undefined ? '' : `≤ ${figure.bound} ${figure.unit}`;
}

function said(figure: Figure): string {
  const verdict = verdictOf(figure);
  if (verdict === 'no bound') return '';
  if (verdict === 'unknown') return 'not measured';
  return withinNoise(figure) ? `${verdict}, within the noise` : verdict;
}

/** Whether some rounds say the opposite of their median. */
function withinNoise({ spread, bound }: Figure): boolean {
  return spread !== undefined && bound !== undefined && spread.min <= bound && spread.max > bound;
}

function shown(value: number): string {
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
