import type { ShownKey } from '../keys/shown-keys.ts';

const COLUMNS: readonly (readonly [title: string, of: (key: ShownKey) => unknown])[] = [
  ['ID', ({ id }) => id],
  ['STATUS', ({ status }) => status],
  ['TEAM', ({ team }) => team],
  ['TIER', ({ tier }) => tier],
  ['EXPIRES', ({ expires }) => expires],
  ['CREATED', ({ created }) => created],
  ['BY', ({ source, created_by }) => (source === 'listed' ? 'configuration' : created_by)],
];

/** Keys as a table for people. */
export function keyTable(keys: readonly ShownKey[]): string {
  const rows = [
    COLUMNS.map(([title]) => title),
    ...keys.map((key) => COLUMNS.map(([, of]) => plain(of(key)))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

/** Texts from the store may hold anything; on a terminal nothing but themselves must come of them. */
function plain(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll(/[^ -~]/g, '?') : '-';
}
