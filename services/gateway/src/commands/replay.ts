import { type Config, ConfigProblems, type LoadedConfig } from '@nexus/config';
import { IssuedKeys, type IssuedKeysChange, type KeyKeeper } from '@nexus/keys';
import { ChangedBudgets } from '../budgets/changed-budgets.ts';
import { isHelp } from '../help-words.ts';
import { openKeeper } from '../keys/open-keys.ts';
import { loadCheckedConfig } from '../load-config.ts';
import { type LoggedRequest, readLog } from '../replay/log-lines.ts';
import { Replay } from '../replay/replay.ts';
import { ReplayReport } from '../replay/report.ts';
import { flagsOf, isUsage } from './flags.ts';

const HELP = `nexus replay --log FILE --config FILE [--since TIME] [--until TIME] [--json]: try another configuration on requests of the past.

Puts the requests of a log before the limits of a configuration, at the times at which they came and with what they used, and says whom it would have
refused, and by which limit. Nothing is called and nothing is changed.

  --log FILE      Nexus' log, one JSON line a request; - is standard input
  --config FILE   the configuration to try; its keys are matched by their ids, and so are the
                  issued ones in the store that it names, with the budgets that were changed there
  --since TIME    requests from then on, as 2026-11-01 or 2026-11-01T12:00:00Z
  --until TIME    and before then
  --json          for programs

Examples
  nexus replay --log /var/log/nexus.log --config new.yaml --since 2026-11-01
  journalctl -u nexus -o cat | nexus replay --log - --config new.yaml

Exit codes: 0 done, 1 the log or the configuration can't be read, 2 wrong usage.
`;

/** `nexus replay`; resolves with the exit code. */
export async function replay(args: readonly string[]): Promise<number> {
  if (args.some(isHelp)) {
    process.stdout.write(HELP);
    return 0;
  }
  const flags = flagsOf(args, { text: ['log', 'config', 'since', 'until'], plain: ['json'] });
  if (isUsage(flags)) return usage(flags.wrong);
  if (flags.words.length > 0) return usage('it takes flags alone');
  const log = flags.texts.get('log');
  const config = flags.texts.get('config');
  if (log === undefined) return usage('--log says which log to read');
  if (config === undefined) return usage('--config says which configuration to try');
  const sinceMs = timeOf(flags.texts.get('since'), Number.NEGATIVE_INFINITY);
  const untilMs = timeOf(flags.texts.get('until'), Number.POSITIVE_INFINITY);
  if (Number.isNaN(sinceMs) || Number.isNaN(untilMs))
    return usage('a time is such as 2026-11-01 or 2026-11-01T12:00:00Z');
  let loaded: LoadedConfig;
  try {
    loaded = loadCheckedConfig({ args: ['--config', config], env: process.env, cwd: process.cwd() });
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error;
    process.stderr.write(`${error}\n`);
    return 1;
  }
  try {
    const report = await replayed(log, loaded, sinceMs, untilMs);
    const json = { suppressed: report.suppressed, groups: report.groups() };
    process.stdout.write(flags.given.has('json') ? `${JSON.stringify(json)}\n` : report.text());
    return 0;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    if (code === undefined) throw error;
    process.stderr.write(
      `nexus: the log can't be read (${code}): name a readable file, or - for standard input\n`,
    );
    return 1;
  }
}

/** Reads the whole log first: its lines stand in the order in which requests ended. */
async function replayed(
  log: string,
  { config, principals }: LoadedConfig,
  sinceMs: number,
  untilMs: number,
): Promise<ReplayReport> {
  const requests: LoggedRequest[] = [];
  for await (const request of readLog(log))
    if (request.decision !== 'none' && request.startMs >= sinceMs && request.startMs < untilMs)
      requests.push(request);
  requests.sort((one, other) => one.startMs - other.startMs);
  const report = new ReplayReport();
  const issued = await issuedKeys(config);
  const trial = new Replay(config, principals.with(issued), new ChangedBudgets(issued, Date.now));
  for (const request of requests) report.add(await trial.take(request));
  await trial.close();
  return report;
}

/** The keys that were issued and the budgets that were changed, from the store that the configuration names. */
async function issuedKeys(config: Config): Promise<IssuedKeys> {
  let cause: unknown;
  const keeper = await openKeeper(config).catch((error: unknown) => {
    cause = error;
    return undefined;
  });
  const onChange = (change: IssuedKeysChange) => {
    if (change.what === 'away') cause = change.cause;
  };
  const issued = new IssuedKeys({ keeper: keeper ?? NOTHING_KEPT, nowMs: Date.now, onChange });
  await issued.refresh();
  issued.close();
  keeper?.close();
  if (cause !== undefined)
    process.stderr.write(
      `nexus: issued keys can't be read, so theirs count as unknown: ${cause instanceof Error ? cause.message : 'the cause is not known'}\n`,
    );
  return issued;
}

/** A store that holds nothing. */
const NOTHING_KEPT: Pick<KeyKeeper, 'changes' | 'restore'> = {
  changes: async () => ({ position: undefined, isWhole: true, records: [] }),
  restore: async () => {},
};

function timeOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  return /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2})?)?$/.test(text) ? Date.parse(text) : Number.NaN;
}

function usage(wrong: string): number {
  process.stderr.write(`nexus replay: ${wrong}. nexus replay -help says more.\n`);
  return 2;
}
