import type { Verdict } from './replay.ts';

/** What a replay found for one team, or for the key of none. */
export interface ReplayedGroup {
  readonly name: string;
  readonly requests: number;
  /** Refused in the log, for comparison. */
  readonly refusedThen: number;
  readonly refusedNow: number;
  /** How many by which limit, most first. */
  readonly by: readonly { readonly limit: string; readonly count: number }[];
}

/** Gathers verdicts by team; keys without one stand by themselves. */
export class ReplayReport {
  readonly #groups = new Map<
    string,
    { requests: number; refusedThen: number; refusedNow: number; by: Map<string, number> }
  >();
  /** Lines that the log had left out: they can't be replayed. */
  #suppressed = 0;

  add({ request, refusedBy }: Verdict): void {
    const name = request.team ?? request.keyId ?? 'nobody known';
    const group = this.#groups.get(name) ?? { requests: 0, refusedThen: 0, refusedNow: 0, by: new Map() };
    this.#groups.set(name, group);
    group.requests += 1;
    if (request.decision === 'denied') group.refusedThen += 1;
    this.#suppressed += request.suppressed;
    if (refusedBy === undefined) return;
    group.refusedNow += 1;
    group.by.set(refusedBy, (group.by.get(refusedBy) ?? 0) + 1);
  }

  get suppressed(): number {
    return this.#suppressed;
  }

  /** Those with the most refusals first. */
  groups(): ReplayedGroup[] {
    return [...this.#groups]
      .map(([name, { by, ...counts }]) => ({
        name,
        ...counts,
        by: [...by]
          .map(([limit, count]) => ({ limit, count }))
          .toSorted((one, other) => other.count - one.count),
      }))
      .toSorted((one, other) => other.refusedNow - one.refusedNow || other.requests - one.requests);
  }

  /** `search: 312 of 40,118 would have been refused (in the log: 5), by team:search/usd_per_day (300), …`, a line each. */
  text(): string {
    const lines = this.groups().map(({ name, requests, refusedNow, refusedThen, by }) => {
      const what = `${name}: ${grouped(refusedNow)} of ${grouped(requests)} would have been refused (in the log: ${grouped(refusedThen)})`;
      const limits = by.map(({ limit, count }) => `${limit} (${grouped(count)})`).join(', ');
      return limits === '' ? what : `${what}, by ${limits}`;
    });
    if (lines.length === 0) lines.push('The log holds no request in that time.');
    if (this.#suppressed > 0)
      lines.push(
        `The log had left out ${grouped(this.#suppressed)} refused requests; they are not in these counts.`,
      );
    return `${lines.join('\n')}\n`;
  }
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
