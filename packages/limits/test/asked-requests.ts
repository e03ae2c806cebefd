import type { Admitted, Decision, OwnerLimits } from '@nexus/domain';
import { expect } from 'vitest';
import { demand, owner, START_MS } from './limit-shapes.ts';
import type { LimiterHarness } from './limiter-harness.ts';

/** One key with some limits. */
export const sized = (...limits: Parameters<typeof owner>[1][]) => [owner('key:a', ...limits)];

/** Asks for some requests at once, each by itself. */
export async function askFor(
  { limiter }: LimiterHarness,
  owners: readonly OwnerLimits[],
  count: number,
  maxWaitMs: number,
  firstId = 'a',
): Promise<Decision[]> {
  const decisions: Decision[] = [];
  for (let index = 0; index < count; index += 1)
    decisions.push(
      await limiter.admit({ requestId: `${firstId} ${index}`, owners, demand: demand(1), maxWaitMs }),
    );
  return decisions;
}

/** When each begins, in milliseconds from the decision; of one refused how long it should wait. */
export function starts(decisions: readonly Decision[]): (number | string)[] {
  return decisions.map((decision) =>
    decision.admitted ? decision.startsInMs : `in ${decision.retryAfterMs}`,
  );
}

/** An admission, or an error where there is none. */
export function admitted(decision: Decision | undefined): Admitted {
  if (!decision?.admitted) throw new Error('not admitted');
  return decision;
}

/** In every window from one start to another there are no more than the burst and what came in. */
export function expectWindows(begunMs: readonly number[], burst: number, perMs: number): void {
  const times = [...begunMs].sort((one, other) => one - other);
  // The fullest window that ends at a start: count − rate · time is what may be no more than the burst.
  let most = Number.NEGATIVE_INFINITY;
  for (const [index, atMs] of times.entries()) {
    most = Math.max(most, perMs * (atMs - START_MS) - index);
    const inWindow = index + 1 - perMs * (atMs - START_MS) + most;
    expect(inWindow).toBeLessThanOrEqual(burst + 1e-6);
  }
}
