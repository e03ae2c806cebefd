import type { Config, LedgerSettings } from '@nexus/config';
import type { ReportFormat } from '@nexus/ledger';
import { isHelp } from '../help-words.ts';
import { openUsageSource } from '../ledger/open-ledger.ts';
import { usageQuestion } from '../ledger/usage-question.ts';
import { flagsOf, isUsage } from './flags.ts';
import { ledgerConfig, sayUnreadable } from './ledger-config.ts';

const HELP = `nexus usage: what was used and what it cost, from the ledger.

  --by NAMES      what to break it down by, outermost first: day, month, team, key, customer, feature, model, upstream
                  (team; key where the configuration has no teams)
  --since DAY     the first day, as 2026-11-01 (the first of this month), in the configuration's time_zone
  --until DAY     the last day, itself included (today)
  --month MONTH   a whole month, as 2026-11, in place of both
  --format FORM   table, csv or json (table)
  --json          the same as --format json
  --config FILE   the configuration that says where the ledger is

Rows with the same first name are summed up: --by month,team is the chargeback of each month.

Examples
  nexus usage
  nexus usage --by month,team --month 2026-10 --format csv > chargeback.csv
  nexus usage --by team,customer,model --since 2026-11-01 --json | jq .total.cost_usd

Exit codes: 0 done, 1 there is no ledger or it can't be read, 2 wrong usage.
`;

/** `nexus usage`; resolves with the exit code. */
export async function usage(args: readonly string[]): Promise<number> {
  if (args.some(isHelp)) {
    process.stdout.write(HELP);
    return 0;
  }
  const flags = flagsOf(args, {
    text: ['by', 'since', 'until', 'month', 'format', 'config'],
    plain: ['json'],
  });
  if (isUsage(flags)) return wrongUsage(flags.wrong);
  if (flags.words.length > 0) return wrongUsage('it takes flags alone');
  const { texts, given } = flags;
  const format = given.has('json') ? 'json' : (texts.get('format') ?? 'table');
  const { REPORT_FORMATS } = await import('@nexus/ledger');
  const form = REPORT_FORMATS.find((one) => one === format);
  if (form === undefined) return wrongUsage(`--format is ${REPORT_FORMATS.join(', ')}`);
  const config = ledgerConfig(texts.get('config'));
  if (config === undefined) return 1;
  const asked = {
    by: texts.get('by'),
    since: texts.get('since'),
    until: texts.get('until'),
    month: texts.get('month'),
  };
  const question = await usageQuestion(asked, config, Date.now());
  if ('wrong' in question) return wrongUsage(`--${question.wrong}`);
  try {
    process.stdout.write(await report(config, question.query, form));
    return 0;
  } catch (error) {
    return sayUnreadable(error);
  }
}

async function report(
  config: Config & { readonly ledger: LedgerSettings },
  query: Parameters<typeof import('@nexus/ledger').usageReport>[1],
  format: ReportFormat,
): Promise<string> {
  const { reportText, usageReport } = await import('@nexus/ledger');
  const source = await openUsageSource(config);
  try {
    return reportText(await usageReport(source, query, config.timeZone), format);
  } finally {
    await source.close();
  }
}

function wrongUsage(wrong: string): number {
  process.stderr.write(`nexus usage: ${wrong}. nexus usage -help says more.\n`);
  return 2;
}
