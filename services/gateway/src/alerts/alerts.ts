import type { Alerts } from '@nexus/config';
import type { BucketView, Demand, Denied, Settlement } from '@nexus/domain';
import type { Log } from '@nexus/observe';
import { formatUsd } from '@nexus/prices';
import { type Reached, spentBy, thresholdsReached } from './thresholds.ts';
import { post } from './webhook.ts';

/** Takes an alert for one instance of all: true for the first that asks. Rejects where nobody can tell. */
export type Claim = (id: string, untilMs: number) => Promise<boolean>;

export interface AlertParts {
  /** Where alerts go now; undefined: to the log alone. */
  readonly target: () => Alerts | undefined;
  readonly claim: Claim;
  readonly log: Log;
  /** For tests: waits between the tries of a post. */
  readonly pausesMs?: readonly number[];
}

/** Alerts known here to be told; more than that in a day are forgotten, and asked for again. */
const REMEMBERED = 10_000;
/** Alerts on their way at once; what comes beyond is told by the log alone. */
const MOST_POSTS = 100;

/** Tells once, in the whole cluster, that a day's or month's limit is used up to a threshold: in the log, and to a webhook. */
export class BudgetAlerts {
  readonly #parts: AlertParts;
  readonly #told = new Set<string>();
  readonly #ending = new AbortController();
  readonly #underWay = new Set<Promise<void>>();

  constructor(parts: AlertParts) {
    this.#parts = parts;
  }

  /** Looks at the buckets of a settled request; what must be told is told later. */
  look(views: readonly BucketView[], reserved: Demand, used: Settlement): void {
    for (const reached of thresholdsReached(views, reserved, used, Date.now())) this.#tellOnce(reached);
  }

  /** Looks at a refusal: it may be the first to show that a budget is spent. */
  lookAtRefusal(denied: Denied): void {
    const reached = spentBy(denied, Date.now());
    if (reached) this.#tellOnce(reached);
  }

  #tellOnce(reached: Reached): void {
    if (this.#told.has(reached.id)) return;
    if (this.#told.size >= REMEMBERED) this.#told.clear();
    this.#told.add(reached.id);
    const telling = this.#tell(reached).finally(() => this.#underWay.delete(telling));
    this.#underWay.add(telling);
  }

  /** Ends what is on its way. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#underWay);
  }

  async #tell(reached: Reached): Promise<void> {
    const { claim, log, target, pausesMs } = this.#parts;
    try {
      if (!(await claim(reached.id, reached.endMs))) return;
    } catch {
      // Nobody knows whether it was told: the next request of this budget asks again.
      this.#told.delete(reached.id);
      return;
    }
    const facts = factsOf(reached);
    log.warn('budget threshold reached', facts);
    const alerts = target();
    if (alerts === undefined) return;
    if (this.#underWay.size > MOST_POSTS) {
      log.error('alert not posted', { alert: reached.id, why: 'too many at once' });
      return;
    }
    try {
      await post(
        alerts,
        alerts.format === 'slack' ? { text: sentenceOf(reached) } : eventOf(reached),
        this.#ending.signal,
        pausesMs,
      );
    } catch (error) {
      log.error('alert not posted', {
        alert: reached.id,
        why: error instanceof Error ? error.message : 'unknown',
      });
    }
  }
}

function factsOf({ owner, limit, threshold, used, endMs }: Reached) {
  return {
    limit: `${owner}/${limit.name}`,
    threshold_percent: threshold,
    used: shown(limit.counts, used),
    amount: shown(limit.counts, limit.amount),
    renews: new Date(endMs).toISOString(),
  };
}

/** What a webhook gets. `id` is the same however often it comes. */
function eventOf(reached: Reached) {
  return {
    type: 'budget.threshold_reached',
    id: reached.id,
    ...factsOf(reached),
    at: new Date().toISOString(),
  };
}

function sentenceOf({ owner, limit, threshold, used, endMs }: Reached): string {
  const renews = new Date(endMs).toISOString().slice(0, 16).replace('T', ' ');
  const unit = limit.counts === 'usd' ? '' : ` ${limit.counts.replace('_', ' ')}`;
  return `${owner}: ${threshold}% of ${limit.name} reached: ${shown(limit.counts, used)} of ${shown(limit.counts, limit.amount)}${unit}. It renews at ${renews} UTC.`;
}

function shown(counts: string, units: number): string {
  return counts === 'usd' ? `$${formatUsd(Math.max(0, units))}` : String(units);
}
