import type { Call } from './call.ts';
import { limitRows } from './judge/rows.ts';
import { verdictOf } from './judge/verdict.ts';
import type { Counted, PlaceShare, Report } from './report.ts';
import type { RunRecord } from './run-record.ts';

/** Judges what a run saw. `strict`: under-use, and limits that were not reached, are a no. */
export function reportOf(run: RunRecord, strict: boolean): Report {
  const calls = run.phases.flatMap((phase) => phase.calls);
  const refused = calls.filter(({ outcome }) => outcome === 'refused');
  const found = {
    url: run.urls[0] ?? '',
    key: run.before.key,
    limits: limitRows(run),
    places: run.urls.map((url, place) =>
      shareOf(
        url,
        calls.filter((call) => call.place === place),
      ),
    ),
    tokens: calls.reduce(
      (sum, { usage }) => sum + (usage === undefined ? 0 : usage.inputTokens + usage.outputTokens),
      0,
    ),
    refusals: {
      seen: refused.length,
      problems: tally(refused.flatMap(({ refusal }) => refusal?.problems ?? [])),
    },
    waits: run.waits.map(({ calls: _calls, ...wait }) => wait),
    disagreements: run.disagreements,
    notes: run.notes,
    others: tally(calls.flatMap(({ outcome, why }) => (outcome === 'other' ? [why ?? 'unknown'] : []))),
  };
  return { ...found, ...verdictOf(found, strict) };
}

function shareOf(url: string, calls: readonly Call[]): PlaceShare {
  const count = (outcome: Call['outcome']) => calls.filter((call) => call.outcome === outcome).length;
  return {
    url,
    sent: calls.length,
    admitted: count('admitted'),
    refused: count('refused'),
    other: count('other'),
  };
}

function tally(words: readonly string[]): Counted[] {
  const counts = new Map<string, number>();
  for (const what of words) counts.set(what, (counts.get(what) ?? 0) + 1);
  return [...counts].map(([what, count]) => ({ what, count })).sort((a, b) => b.count - a.count);
}
