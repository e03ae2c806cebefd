import type { RetriedStatus, UpstreamEntry } from '@nexus/config';
import type { Log } from '@nexus/observe';
import { Breaker } from './breaker.ts';
import { KeyRing } from './key-ring.ts';
import type { MeteredUpstream } from './metered.ts';
import type { Passthrough } from './passthrough.ts';
import { RetryBudget } from './retry-budget.ts';

/** The two ways to an upstream. */
export interface Ways {
  readonly metered: MeteredUpstream;
  readonly passthrough: Passthrough;
}

/** The hosts of Azure's OpenAI, which want a key as `api-key`. */
const AZURE = /\.(?:openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)$/i;

/** What an upstream is asked to serve. */
export interface Wanted {
  /** The path in lower case and decoded, as `plainPath` makes it. */
  readonly path: string;
  readonly isMetered: boolean;
  readonly model: string | undefined;
}

/** What an upstream has besides its entry. */
export interface Surroundings {
  readonly nowMs: () => number;
  readonly log: Log;
}

/** One of several upstreams: what it serves, its keys, and what is known of its state. */
export class NamedUpstream {
  readonly name: string;
  readonly entry: UpstreamEntry;
  readonly ways: Ways;
  readonly breaker: Breaker;
  readonly budget: RetryBudget;
  /** Absent: clients' own keys pass. */
  readonly keys: KeyRing | undefined;
  readonly isAzure: boolean;
  /** Where requests go that it can't take. */
  fallback: NamedUpstream | undefined;

  /** @param before the upstream that it takes the place of: of the same host, it goes on with what is known of that */
  constructor(entry: UpstreamEntry, ways: Ways, { nowMs, log }: Surroundings, before?: NamedUpstream) {
    const known = before?.entry.target.origin === entry.target.origin ? before : undefined;
    this.name = entry.name;
    this.entry = entry;
    this.ways = ways;
    this.breaker =
      known?.breaker ??
      new Breaker(nowMs, (state) =>
        state === 'open'
          ? log.warn('upstream is away', { upstream: entry.name })
          : log.info('upstream is back', { upstream: entry.name }),
      );
    this.budget = known?.budget ?? new RetryBudget(nowMs);
    this.keys = entry.keys.length > 0 ? new KeyRing(entry.keys, nowMs, known?.keys) : undefined;
    this.isAzure = AZURE.test(new URL(entry.target.origin).hostname);
  }

  /** Whether it serves a path, and the model of a metered call. */
  serves(wanted: Wanted): boolean {
    return serves(this.entry, wanted);
  }
}

/** Whether an upstream's entry in the configuration covers a path, and the model of a metered call. */
export function serves(
  { paths, models }: Pick<UpstreamEntry, 'paths' | 'models'>,
  { path, isMetered, model }: Wanted,
): boolean {
  const onPath = (prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
  if (paths.length > 0 && !paths.some(onPath)) return false;
  if (!isMetered || models === undefined) return true;
  return model !== undefined && models.allows(model);
}

/** Whether a status is one of those that are listed. */
export function isListed(statuses: readonly RetriedStatus[], status: number): boolean {
  return statuses.includes(status) || (status >= 500 && statuses.includes('5xx'));
}

/** A path as upstreams are chosen by: no spelling of it leads elsewhere. */
export function plainPath(path: string): string {
  try {
    return decodeURIComponent(path).toLowerCase();
  } catch {
    return path.toLowerCase();
  }
}
