import { csvLine } from './csv.ts';
import type { ReportFormat } from './report-text.ts';
import type { ModelDay } from './usage-query.ts';

/** What is compared, by its name in reports. */
const FIGURES = [
  ['requests', 'requests'],
  ['input_tokens', 'inputTokens'],
  ['cached_input_tokens', 'cachedInputTokens'],
  ['output_tokens', 'outputTokens'],
] as const;

type Figure = (typeof FIGURES)[number][1];
type Figures = Record<Figure, number>;

/** One day of one model, as the ledger has it and as the provider says. */
export interface ReconciledDay {
  readonly day: string;
  readonly model: string;
  readonly ledger: Readonly<Figures>;
  readonly provider: Readonly<Figures>;
  /** Whether any figure is farther apart than was allowed. */
  readonly differs: boolean;
}

/** The ledger against a provider's export. */
export interface Reconciliation {
  readonly days: readonly ReconciledDay[];
  readonly total: Omit<ReconciledDay, 'day' | 'model'>;
  /** Models of the ledger that the export never names, with their requests: another provider's, as a rule. They are not compared. */
  readonly elsewhere: ReadonlyMap<string, number>;
}

/**
 * Compares the ledger's days with a provider's. Providers name the dated model that answered, clients mostly the undated one, so both are compared
 * without their date.
 * @param tolerancePercent how far apart a figure may be, in per cent of the provider's
 */
export function reconcile(
  ledger: readonly ModelDay[],
  provider: readonly ModelDay[],
  tolerancePercent = 0,
): Reconciliation {
  const days = new Map<string, { day: string; model: string; ledger: Figures; provider: Figures }>();
  const add = (side: 'ledger' | 'provider', from: readonly ModelDay[]) => {
    for (const one of from) {
      const model = undated(one.model);
      const name = JSON.stringify([one.day, model]);
      const found = days.get(name) ?? { day: one.day, model, ledger: nothing(), provider: nothing() };
      days.set(name, found);
      for (const [, figure] of FIGURES) found[side][figure] += one[figure];
    }
  };
  const named = new Set(provider.map(({ model }) => undated(model)));
  const elsewhere = new Map<string, number>();
  for (const { model, requests } of ledger)
    if (!named.has(undated(model))) elsewhere.set(model, (elsewhere.get(model) ?? 0) + requests);
  add(
    'ledger',
    ledger.filter(({ model }) => named.has(undated(model))),
  );
  add('provider', provider);
  const total = { ledger: nothing(), provider: nothing() };
  for (const day of days.values())
    for (const side of ['ledger', 'provider'] as const)
      for (const [, figure] of FIGURES) total[side][figure] += day[side][figure];
  const judged = <T extends { ledger: Figures; provider: Figures }>(one: T) => ({
    ...one,
    differs: FIGURES.some(
      ([, figure]) =>
        Math.abs(one.ledger[figure] - one.provider[figure]) > (one.provider[figure] * tolerancePercent) / 100,
    ),
  });
  return {
    days: [...days].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, day]) => judged(day)),
    total: judged(total),
    elsewhere,
  };
}

function nothing(): Figures {
  return { requests: 0, inputTokens: 0, cachedInputTokens: 0, outputTokens: 0 };
}

/** `gpt-4o-2024-08-06` → `gpt-4o`, `gpt-4-0613` → `gpt-4`. */
function undated(model: string): string {
  return model.toLowerCase().replace(/-(20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|[01]\d[0-3]\d)$/, '');
}

/** A comparison as text. A table shows what differs, unless `isWhole`; CSV and JSON hold everything. */
export function reconciliationText(
  { days, total, elsewhere }: Reconciliation,
  format: ReportFormat,
  isWhole = false,
): string {
  if (format === 'json') {
    const json = { days: days.map(jsonOf), total: jsonOf(total), elsewhere: Object.fromEntries(elsewhere) };
    return `${JSON.stringify(json, null, 2)}\n`;
  }
  if (format === 'csv') {
    const columns = FIGURES.flatMap(([name]) => [`ledger_${name}`, `provider_${name}`]);
    const lines = days.map(({ day, model, ledger, provider }) =>
      csvLine([day, model, ...FIGURES.flatMap(([, figure]) => [ledger[figure], provider[figure]])]),
    );
    return [csvLine(['day', 'model', ...columns]), ...lines].join('');
  }
  const lines = [
    ['day', 'model', ...FIGURES.map(([name]) => name.replaceAll('_', ' ')), ''],
    ...days
      .filter(({ differs }) => isWhole || differs)
      .map(({ day, model, ...sides }) => [day, model, ...cells(sides), sides.differs ? 'differs' : '']),
    ['in all', '', ...cells(total), total.differs ? 'differs' : 'agrees'],
  ];
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const shown = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const different = days.filter(({ differs }) => differs).length;
  const verdict =
    different === 0
      ? `The ledger agrees with the export: ${counted(days.length)} compared.`
      : `The ledger differs from the export: ${different} of ${counted(days.length)}.`;
  const others = [...elsewhere].map(
    ([model, requests]) => `${model === '' ? '(unread)' : model} (${requests} requests)`,
  );
  const note =
    others.length === 0
      ? ''
      : `Not in the export, and not compared: ${others.join(', ')}.\n`.replace(/[^\x20-\x7e\n]/g, '\ufffd');
  return `Ledger / export\n\n${shown.join('\n')}\n\n${verdict}\n${note}`;
}

function counted(days: number): string {
  return days === 1 ? '1 day of a model' : `${days} days of models`;
}

function cells({ ledger, provider }: { ledger: Readonly<Figures>; provider: Readonly<Figures> }): string[] {
  return FIGURES.map(([, figure]) =>
    ledger[figure] === provider[figure] ? `${ledger[figure]}` : `${ledger[figure]} / ${provider[figure]}`,
  );
}

function jsonOf({
  ledger,
  provider,
  ...rest
}: Partial<ReconciledDay> & Omit<ReconciledDay, 'day' | 'model'>) {
  const named = (figures: Readonly<Figures>) =>
    Object.fromEntries(FIGURES.map(([name, figure]) => [name, figures[figure]]));
  return { ...rest, ledger: named(ledger), provider: named(provider) };
}
