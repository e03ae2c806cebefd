import type { BucketView } from '@nexus/domain';
import type { Call } from '../call.ts';
import type { Ask, Deployment } from '../deployment.ts';
import { CLOCK_DRIFT, CLOCK_TICK_MS } from '../judge/windows.ts';
import { isOfModel, isRate, type ListedLimits, nameOf } from '../listed-limits.ts';

/** What instances say of each other's calls. */
export interface Sharing {
  readonly calls: readonly Call[];
  /** In words; empty: they agree, as far as it could be seen. */
  readonly problems: readonly string[];
  /** Whether the instances could be compared at all. */
  readonly isDecided: boolean;
}

const MOST_CALLS = 10;

/** What differs between the limits that two places tell: names, sizes, rates. */
export function differences(urls: readonly string[], listed: readonly ListedLimits[]): string[] {
  const [first, ...others] = listed;
  if (first === undefined) return [];
  const told = rulesOf(first);
  return others.flatMap((other, index) => {
    const where = `${urls[index + 1]} and ${urls[0]}`;
    if (other.key !== first.key) return [`${where} know this key under different names`];
    return rulesOf(other) === told
      ? []
      : [`${where} tell different limits: do they run with one configuration?`];
  });
}

function rulesOf({ buckets }: ListedLimits): string {
  return JSON.stringify(buckets.map(({ owner, limit }) => [owner, limit]));
}

/**
 * Sends some calls through one instance and asks all the others whether they see them gone. A bucket holds at most its
 * size less these calls, and what came back since the first of them was sent; an instance that says more does not share it.
 */
export async function trySharing(
  deployment: Deployment,
  ask: Ask,
  places: readonly number[],
  listed: ListedLimits,
): Promise<Sharing> {
  const [first, ...others] = places;
  const views = listed.buckets
    .filter(isRate)
    .filter((view) => view.limit.counts === 'requests' && !isOfModel(view));
  const count = Math.min(MOST_CALLS, ...views.map(({ available }) => available));
  if (first === undefined || others.length === 0 || views.length === 0 || count < 1)
    return { calls: [], problems: [], isDecided: false };
  const calls = await Promise.all(Array.from({ length: count }, () => deployment.call(first, ask)));
  const taken = calls.filter(({ outcome }) => outcome === 'admitted');
  if (taken.length === 0) return { calls, problems: [], isDecided: false };
  const firstSentMs = Math.min(...taken.map(({ sentMs }) => sentMs));
  const problems: string[] = [];
  let isDecided = false;
  for (const place of others) {
    const now = await deployment.limits(place);
    const says = new Map<string, BucketView>(now.buckets.map((view) => [nameOf(view), view]));
    for (const view of views) {
      const { limit, size } = view;
      const elapsedMs = (now.answeredMs - firstSentMs) * (1 + CLOCK_DRIFT) + CLOCK_TICK_MS;
      const most = Math.floor(size - taken.length + (elapsedMs * limit.amount) / limit.periodMs);
      const said = says.get(nameOf(view))?.available;
      if (said === undefined || most >= size) continue;
      isDecided = true;
      if (said > most)
        problems.push(
          `${deployment.urls[place]} does not see calls that ${deployment.urls[first]} let through: of ${nameOf(view)} at most ${most} can be left, and it says ${said}`,
        );
    }
  }
  return { calls, problems, isDecided };
}
