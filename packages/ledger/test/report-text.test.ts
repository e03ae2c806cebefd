import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCsv } from '../src/csv.ts';
import { type Dimension, reportText, type UsageRow, usageReport } from '../src/index.ts';
import { noUsage } from '../src/usage-totals.ts';
import { usdText } from '../src/usd.ts';

const row = (names: readonly string[], requests: number, costNanoUsd: bigint): UsageRow => ({
  names,
  totals: { ...noUsage(), requests, inputTokens: requests * 1_000, outputTokens: requests * 10, costNanoUsd },
});

const report = (by: readonly Dimension[], rows: readonly UsageRow[]) =>
  usageReport({ usage: async () => rows }, { since: '2026-11-01', until: '2026-11-30', by }, 'UTC');

const CHARGEBACK = [
  row(['2026-11', 'search'], 1_234, 1_500_000_001n),
  row(['2026-10', 'ads'], 1, 123n),
  row(['2026-11', ''], 2, 0n),
];

describe('a report as a table', () => {
  it('shows the month-end chargeback with its sums', async () => {
    expect(reportText(await report(['month', 'team'], CHARGEBACK), 'table')).toBe(
      `Usage from 2026-11-01 to 2026-11-30 (UTC)

month    team       requests  input tokens  cached  output tokens  US dollars
2026-10  ads               1         1,000       0             10    0.000001
2026-10  in all            1         1,000       0             10    0.000001

2026-11  (no team)         2         2,000       0             20        0.00
2026-11  search        1,234     1,234,000       0         12,340    1.500001
2026-11  in all        1,236     1,236,000       0         12,360    1.500001

in all                 1,237     1,237,000       0         12,370    1.500001
`,
    );
  });

  it('tells what it leaves out', async () => {
    const odd = { names: ['a'], totals: { ...noUsage(), requests: 1, givenBack: 3, unpriced: 1 } };
    const text = reportText(await report(['team'], [odd]), 'table');
    expect(text).toContain('3 requests got everything back');
    expect(text).toContain('1 requests have no cost');
  });

  it('lets no name move the cursor of a terminal', async () => {
    const text = reportText(await report(['customer'], [row(['\u001b[2Jx\u202ey\nz'], 1, 0n)]), 'table');
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('\u202e');
    expect(text.split('\n')).toHaveLength(7);
  });

  it('of nothing has its sums all the same', async () => {
    expect(reportText(await report([], []), 'table')).toContain('requests  input tokens');
    expect(reportText(await report(['team'], []), 'table')).toMatch(/in all +0 +0 +0 +0 +0\.00/);
  });
});

describe('a report as CSV', () => {
  it('has a head, a line a row, and exact dollars', async () => {
    const lines = readCsv(reportText(await report(['month', 'team'], CHARGEBACK), 'csv'));
    expect(lines).toHaveLength(4);
    expect(lines[0]?.slice(0, 3)).toEqual(['month', 'team', 'requests']);
    expect(lines[3]?.at(-1)).toBe('1.500000001');
  });

  it('runs no formula that a customer is named', async () => {
    const text = reportText(await report(['customer'], [row(['=cmd()'], 1, 0n)]), 'csv');
    expect(text).toContain(`\r\n"'=cmd()",`);
  });
});

describe('a report as JSON', () => {
  it('names what is there, and null what isn’t', async () => {
    const read = JSON.parse(reportText(await report(['month', 'team'], CHARGEBACK), 'json'));
    expect(read.rows[1]).toEqual({
      month: '2026-11',
      team: null,
      requests: 2,
      given_back: 0,
      unpriced: 0,
      input_tokens: 2_000,
      cached_input_tokens: 0,
      cache_write_tokens: 0,
      output_tokens: 20,
      reasoning_tokens: 0,
      cost_usd: '0.00',
    });
    expect(read.groups.map((group: { cost_usd: string }) => group.cost_usd)).toEqual([
      '0.000000123',
      '1.500000001',
    ]);
    expect(read.total.cost_usd).toBe('1.500000124');
  });
});

describe('US dollars', () => {
  it('say exactly how many nano-dollars they are', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 70n }), (nano) => {
        const [whole = '', decimals = ''] = usdText(nano).split('.');
        expect(BigInt(whole + decimals.padEnd(9, '0'))).toBe(nano);
      }),
    );
  });
});
