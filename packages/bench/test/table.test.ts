import { describe, expect, it } from 'vitest';
import type { Figure } from '../src/bench.ts';
import { tableOf, verdictOf } from '../src/table.ts';

function figure(given: Partial<Figure>): Figure {
  return { id: 'B1', title: 'CPU a call', value: 0.93, unit: '× pipe', bound: 1, notes: [], ...given };
}

describe('verdictOf', () => {
  it('holds the figure against its bound, which itself is still met', () => {
    expect(verdictOf(figure({ value: 1 }))).toBe('met');
    expect(verdictOf(figure({ value: 1.001 }))).toBe('not met');
  });

  it('never calls met what was not measured', () => {
    expect(verdictOf(figure({ value: undefined }))).toBe('unknown');
    expect(verdictOf(figure({ value: Number.NaN }))).toBe('unknown');
  });

  it('has nothing to say where there is no bound', () => {
    const { bound: _, ...unbounded } = figure({});
    expect(verdictOf(unbounded)).toBe('no bound');
  });
});

describe('tableOf', () => {
  it('puts bound and verdict beside each figure, and what it stands on below', () => {
    const table = tableOf([
      figure({ spread: { min: 0.9, median: 0.93, max: 0.97 }, notes: ['gateway 241 µs'] }),
      figure({ id: 'B7', title: 'Start', value: 12.34, unit: 's', bound: 1 }),
    ]);
    expect(table.split('\n')).toEqual([
      '    figure      measured     rounds       bound',
      'B1  CPU a call  0.93 × pipe  0.90 – 0.97  ≤ 1 × pipe  met',
      '      gateway 241 µs',
      'B7  Start       12.3 s                    ≤ 1 s       not met',
    ]);
  });

  it('says where single rounds contradict the verdict', () => {
    const doubtful = tableOf([figure({ spread: { min: 0.9, median: 0.93, max: 1.2 } })]);
    expect(doubtful).toContain('met, within the noise');
  });

  it('shows a figure that could not be measured as such', () => {
    const table = tableOf([figure({ value: undefined, spread: { min: NaN, median: NaN, max: NaN } })]);
    expect(table).toContain('not measured');
    expect(table).not.toContain('NaN');
  });
});
