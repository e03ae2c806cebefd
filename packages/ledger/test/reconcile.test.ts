import { describe, expect, it } from 'vitest';
import {
  type ModelDay,
  type ProviderExport,
  readProviderExport,
  reconcile,
  reconciliationText,
} from '../src/index.ts';

const DAY_SECONDS = Date.UTC(2026, 10, 3) / 1_000;

const result = (model: string | null, requests: number, input: number, output: number, cached = 0) => ({
  object: 'organization.usage.completions.result',
  input_tokens: input,
  output_tokens: output,
  input_cached_tokens: cached,
  num_model_requests: requests,
  project_id: null,
  model,
});

const page = (...results: object[]) => ({
  object: 'page',
  data: [
    { object: 'bucket', start_time: DAY_SECONDS, end_time: DAY_SECONDS + 86_400, results },
    { object: 'bucket', start_time: DAY_SECONDS + 86_400, end_time: DAY_SECONDS + 172_800, results: [] },
  ],
  has_more: false,
  next_page: null,
});

const day = (model: string, requests: number, input: number, output: number, cached = 0): ModelDay => ({
  day: '2026-11-03',
  model,
  requests,
  inputTokens: input,
  cachedInputTokens: cached,
  outputTokens: output,
});

const read = (of: ProviderExport) => ('days' in of ? of.days : of.wrong);

describe('an export of OpenAI’s usage', () => {
  const expected = [day('gpt-4o-2024-08-06', 2, 100, 20, 8)];

  it('is a page of the API, a list of them, or one a line', () => {
    const one = page(result('gpt-4o-2024-08-06', 2, 100, 20, 8));
    expect(read(readProviderExport(JSON.stringify(one, null, 2)))).toEqual(expected);
    expect(read(readProviderExport(`\ufeff${JSON.stringify([one, one])}`))).toEqual([
      ...expected,
      ...expected,
    ]);
    expect(read(readProviderExport(`${JSON.stringify(one)}\n${JSON.stringify(one)}\n`))).toHaveLength(2);
  });

  it('is the dashboard’s table, whatever the order of its columns', () => {
    const table = `\ufeffstart_time,start_time_iso,project_id,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens
${DAY_SECONDS},2026-11-03T00:00:00+00:00,proj_1,2,gpt-4o-2024-08-06,100,20,8
`;
    expect(read(readProviderExport(table))).toEqual(expected);
    expect(
      read(readProviderExport('model,input_tokens,start_time\r\ntext-embedding-3-small,7,1793664000\r\n')),
    ).toEqual([day('text-embedding-3-small', 0, 7, 0)]);
  });

  it.each([
    ['', 'it is empty'],
    ['{', 'it is no JSON'],
    ['{"object":"page"}', '`data` is missing'],
    ['[1]', 'it is no JSON'],
    [JSON.stringify(page(result(null, 1, 1, 1))), 'group_by=model'],
    [JSON.stringify(page(result('m', -1, 1, 1))), 'no whole number'],
    [JSON.stringify({ data: [{ results: [] }] }), 'no `start_time`'],
    ['a,b\n1,2\n', 'neither JSON nor a table'],
    ['start_time,model,input_tokens\nyesterday,m,1\n', 'its line 2 has no time'],
    ['start_time,model,input_tokens\n1793664000,,1\n', 'group_by=model'],
    ['start_time,model,input_tokens\n1793664000,m,many\n', 'no whole number'],
  ])('%j is none', (text, wrong) => {
    expect(read(readProviderExport(text))).toContain(wrong);
  });
});

describe('a reconciliation', () => {
  it('agrees where all figures are the same, the date of a model’s name apart', () => {
    const { days, total } = reconcile(
      [day('gpt-4o', 1, 60, 10), day('gpt-4o-2024-08-06', 1, 40, 10), day('gpt-4-0613', 1, 1, 1)],
      [day('gpt-4o-2024-08-06', 2, 100, 20), day('gpt-4', 1, 1, 1)],
    );
    expect(days.map(({ model, differs }) => [model, differs])).toEqual([
      ['gpt-4', false],
      ['gpt-4o', false],
    ]);
    expect(total.differs).toBe(false);
  });

  it('tells which day of which model differs, and by what', () => {
    const other = { ...day('gpt-4o', 1, 1, 1), day: '2026-11-04' };
    const result = reconcile([day('gpt-4o', 2, 90, 20), other], [day('gpt-4o', 2, 100, 20), other]);
    expect(reconciliationText(result, 'table')).toBe(`Ledger / export

day         model   requests  input tokens  cached input tokens  output tokens
2026-11-03  gpt-4o  2         90 / 100      0                    20             differs
in all              3         91 / 101      0                    21             differs

The ledger differs from the export: 1 of 2 days of models.
`);
    expect(reconciliationText(result, 'table', true)).toContain('2026-11-04  gpt-4o  1');
    expect(reconciliationText(result, 'csv').split('\r\n')[1]).toBe('2026-11-03,gpt-4o,2,2,90,100,0,0,20,20');
    expect(JSON.parse(reconciliationText(result, 'json')).days[0]).toMatchObject({
      differs: true,
      ledger: { input_tokens: 90 },
      provider: { input_tokens: 100 },
    });
  });

  it('lets figures differ as far as it was told', () => {
    const [ours, theirs] = [[day('m', 100, 999, 10)], [day('m', 100, 1_000, 10)]];
    expect(reconcile(ours, theirs, 0.1).total.differs).toBe(false);
    expect(reconcile(ours, theirs, 0.09).total.differs).toBe(true);
    expect(reconcile([], theirs, 99).days[0]?.differs).toBe(true);
  });

  it('leaves out models that the export never names, and says so', () => {
    const result = reconcile([day('claude-x', 3, 1, 1), day('gpt-4o', 1, 1, 1)], [day('gpt-4o', 1, 1, 1)]);
    expect(result.days.map(({ differs }) => differs)).toEqual([false]);
    expect(reconciliationText(result, 'table')).toContain('not compared: claude-x (3 requests)');
  });
});
