import type { RequestEnd } from '../request-line.ts';
import { METRICS } from './definitions.ts';
import { HistogramTally } from './histogram-tally.ts';
import {
  DEFAULT_UPSTREAM,
  KINDS,
  type Kind,
  RESULT_429,
  RESULT_ABANDONED,
  RESULT_BROKE,
  RESULT_OF_ERROR,
  RESULT_UNREACHABLE,
  RESULTS,
  statusClass,
} from './label-values.ts';
import { bump } from './numbers.ts';

/** An attempt at an upstream that was given up: another followed. */
export interface GivenUp {
  readonly upstream: string;
  /** What it answered; undefined: no connection was made. */
  readonly status: number | undefined;
}

/** What one upstream made of what was sent there. */
export class UpstreamTally {
  /** As the configuration names it. */
  readonly name: string;
  /** By family and kind, then by the place of the result. */
  readonly results: (
    | { readonly family: string; readonly kind: Kind; readonly counts: Float64Array }
    | undefined
  )[] = [];
  /** By kind. */
  readonly firstByte: readonly HistogramTally[] = KINDS.map(
    () => new HistogramTally(METRICS.upstreamFirstByte.buckets),
  );
  /** By the place of the result. */
  readonly givenUp = new Float64Array(RESULTS.length);

  constructor(name: string) {
    this.name = name;
  }

  add(
    place: number,
    { family, kind }: { readonly family: string; readonly kind: Kind },
    result: number,
  ): void {
    let known = this.results[place];
    if (known === undefined) {
      known = { family, kind, counts: new Float64Array(RESULTS.length) };
      this.results[place] = known;
    }
    bump(known.counts, result, 1);
  }
}

/** All upstreams that requests have met: no more than the configuration names. */
export class UpstreamTallies {
  readonly #byName = new Map<string, UpstreamTally>();

  /** Of the upstream with this name; undefined: the only one. */
  of(name = DEFAULT_UPSTREAM): UpstreamTally {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const made = new UpstreamTally(name);
    this.#byName.set(name, made);
    return made;
  }

  giveUp(attempts: readonly GivenUp[]): void {
    for (const { upstream, status } of attempts) {
      const result = status === undefined ? RESULT_UNREACHABLE : resultOfStatus(status);
      bump(this.of(upstream).givenUp, result, 1);
    }
  }

  all(): Iterable<UpstreamTally> {
    return this.#byName.values();
  }
}

/** What of a request says how it went upstream. */
interface Outcome {
  readonly errorCode?: string | undefined;
  readonly brokeOff: boolean;
  readonly upstreamStatus?: number | undefined;
  readonly message: RequestEnd;
}

/** How it went upstream, by its place in `RESULTS`. */
export function resultOf({ errorCode, brokeOff, upstreamStatus, message }: Outcome): number {
  const failed = errorCode === undefined ? undefined : RESULT_OF_ERROR.get(errorCode);
  if (failed !== undefined) return failed;
  if (brokeOff) return RESULT_BROKE;
  if (upstreamStatus === 429) return RESULT_429;
  if (message === 'client left') return RESULT_ABANDONED;
  return upstreamStatus === undefined ? 0 : resultOfStatus(upstreamStatus);
}

function resultOfStatus(status: number): number {
  return status === 429 ? RESULT_429 : statusClass(status);
}
