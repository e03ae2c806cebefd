import type { LimitRow, Report } from '../report.ts';

/** The run in one sentence, and the exit code that it stands for. `strict`: under-use and gaps are a no. */
export function verdictOf(
  report: Pick<Report, 'limits' | 'refusals' | 'waits' | 'disagreements' | 'places'>,
  strict: boolean,
): Pick<Report, 'verdict' | 'exitCode'> {
  const { limits, refusals, waits, disagreements, places } = report;
  const wrong = [
    ...limits.filter(({ state }) => state === 'broken').map(brokenIn),
    ...limits
      .filter(({ state }) => state === 'miscounted')
      .map(({ limit, note }) => `${limit} was miscounted: ${note}`),
  ];
  const held = wrong.length === 0 ? ['no limit was broken'] : wrong;
  const untrue = waits.filter(({ result }) => result === 'untrue');
  const faults = [
    ...untrue.map(({ limit, waitMs }) => `${limit} told a wait of ${waitMs} ms and refused after it`),
    ...(disagreements.length > 0 ? ['the instances do not agree'] : []),
    ...(refusals.problems.length > 0 ? ['refusals are not what clients expect'] : []),
  ];
  if (wrong.length + faults.length > 0) return { verdict: [...held, ...faults].join('; '), exitCode: 1 };
  if (places.every(({ admitted }) => admitted === 0))
    return { verdict: 'nothing was let through, so nothing was proved', exitCode: 1 };
  const gaps = limits.filter(({ state }) => state === 'not reached' || state === 'not driven');
  const slack = limits.filter(({ isUnderUsed }) => isUnderUsed);
  const doubts = [
    ...slack.map(
      ({ limit, usedShare = 0 }) => `${limit} let through only ${percent(usedShare)} of what it allows`,
    ),
    ...(gaps.length > 0 ? [`${gaps.length} of ${limits.length} were not driven to their bound`] : []),
  ];
  if (doubts.length === 0) return { verdict: 'every limit held', exitCode: 0 };
  return { verdict: ['no limit was broken', ...doubts].join('; '), exitCode: strict ? 1 : 0 };
}

function brokenIn({ limit, worst }: LimitRow): string {
  if (worst === undefined) return `${limit} was broken`;
  return `${limit} was broken: ${worst.over} over in (${seconds(worst.fromMs)}, ${seconds(worst.toMs)}]`;
}

/** An instant of the run: `3.2 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** A share as a percentage with one decimal, rounded down: 100.0 % is all. */
export function percent(share: number): string {
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}
