import { readFileSync } from 'node:fs';
import type { Config, LedgerSettings } from '@nexus/config';
import type { ModelDay } from '@nexus/ledger';
import { isHelp } from '../help-words.ts';
import { openUsageSource } from '../ledger/open-ledger.ts';
import { flagsOf, isUsage } from './flags.ts';
import { ledgerConfig, sayUnreadable } from './ledger-config.ts';

const HELP = `nexus reconcile EXPORT: compare the ledger with what the provider says that was used, by day and model.

EXPORT is OpenAI's: pages of its usage API as JSON (group_by=model, bucket_width=1d), or the usage dashboard's CSV; - is standard input. The days are
those that it holds, in UTC. Models are compared without the date in their names.

  --since DAY     leave out earlier days, such as those before Nexus was there
  --until DAY     leave out later days: of today both are still growing
  --tolerance N   how many per cent a figure may differ (0)
  --all           show the days that agree, too
  --format FORM   table, csv or json (table)
  --json          the same as --format json
  --config FILE   the configuration that says where the ledger is

Examples
  curl -sH "Authorization: Bearer $OPENAI_ADMIN_KEY" \\
    "https://api.openai.com/v1/organization/usage/completions?start_time=1793491200&bucket_width=1d&group_by=model&limit=31" > usage.json
  nexus reconcile usage.json --until 2026-11-30
  nexus reconcile completions_usage.csv --tolerance 0.5

Exit codes: 0 they agree, 1 they differ or can't be read, 2 wrong usage.
`;

/** `nexus reconcile`; resolves with the exit code. */
export async function reconcile(args: readonly string[]): Promise<number> {
  if (args.some(isHelp)) {
    process.stdout.write(HELP);
    return 0;
  }
  const flags = flagsOf(args, {
    text: ['since', 'until', 'tolerance', 'format', 'config'],
    plain: ['all', 'json'],
  });
  if (isUsage(flags)) return wrongUsage(flags.wrong);
  const { texts, given, words } = flags;
  const [file, ...more] = words;
  if (file === undefined || more.length > 0) return wrongUsage('it takes one export');
  const tool = await import('@nexus/ledger');
  const format = given.has('json') ? 'json' : (texts.get('format') ?? 'table');
  const form = tool.REPORT_FORMATS.find((one) => one === format);
  if (form === undefined) return wrongUsage(`--format is ${tool.REPORT_FORMATS.join(', ')}`);
  const since = texts.get('since') ?? '0000-01-01';
  const until = texts.get('until') ?? '9999-12-31';
  if (![since, until].every((day) => tool.isDay(day) || day === '0000-01-01'))
    return wrongUsage('a day is such as 2026-11-01');
  const tolerance = texts.get('tolerance') ?? '0';
  if (!/^\d{1,3}(\.\d+)?$/.test(tolerance)) return wrongUsage('--tolerance is a number of per cent');
  const config = ledgerConfig(texts.get('config'));
  if (config === undefined) return 1;
  const read = exported(file, tool.readProviderExport);
  if ('wrong' in read) {
    process.stderr.write(`nexus: the export can't be read: ${read.wrong}\n`);
    return 1;
  }
  const days = read.days.filter(({ day }) => day >= since && day <= until);
  if (days.length === 0) {
    process.stderr.write('nexus: the export holds nothing of these days\n');
    return 1;
  }
  try {
    const own = await ledgerDays(config, days);
    if (own === undefined) {
      process.stderr.write(
        'nexus: the ledger keeps sums of days in Redis, whose time_zone is not UTC as the export is. Set ledger.postgres_url to keep every request\n',
      );
      return 1;
    }
    const result = tool.reconcile(own, days, Number(tolerance));
    process.stdout.write(tool.reconciliationText(result, form, given.has('all')));
    return result.days.some(({ differs }) => differs) ? 1 : 0;
  } catch (error) {
    return sayUnreadable(error);
  }
}

function exported(
  file: string,
  read: typeof import('@nexus/ledger').readProviderExport,
): ReturnType<typeof read> {
  try {
    return read(readFileSync(file === '-' ? 0 : file, 'utf8'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return { wrong: `${code}: name a readable file, or - for standard input` };
  }
}

/** The ledger's days, from the export's first to its last. */
async function ledgerDays(
  config: Config & { readonly ledger: LedgerSettings },
  days: readonly ModelDay[],
): Promise<readonly ModelDay[] | undefined> {
  const sorted = days.map(({ day }) => day).sort();
  const source = await openUsageSource(config);
  try {
    return await source.modelDays(sorted[0] ?? '', sorted.at(-1) ?? '');
  } finally {
    await source.close();
  }
}

function wrongUsage(wrong: string): number {
  process.stderr.write(`nexus reconcile: ${wrong}. nexus reconcile -help says more.\n`);
  return 2;
}
