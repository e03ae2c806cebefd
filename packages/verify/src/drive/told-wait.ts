import type { Call } from '../call.ts';
import type { Ask, Deployment } from '../deployment.ts';
import { CLOCK_DRIFT, CLOCK_TICK_MS } from '../judge/windows.ts';
import { untilMs } from './pacer.ts';

/** What became of one client that waited as long as it was told. */
export interface ToldWait {
  readonly calls: readonly Call[];
  /** The limit that told it. */
  readonly limit?: string;
  readonly waitMs?: number;
  /** `skipped`: nobody told a wait that is short enough to be tried. */
  readonly result: 'true' | 'untrue' | 'skipped';
  readonly why?: string;
}

const LONGEST_WAIT_MS = 15_000;
/** A bucket that refills faster than one call after another can empty it is left alone. */
const MOST_TRIES = 100;

/**
 * Sends one call at a time until one is refused, waits exactly as it was told, and sends it again: it must be let through.
 * Right only while nobody else uses the key, and for limits that refill (when a slot comes free nobody can tell).
 */
export async function tryToldWait(
  deployment: Deployment,
  ask: Ask,
  place: number,
  limits: ReadonlySet<string>,
): Promise<ToldWait> {
  const calls: Call[] = [];
  const send = async () => {
    const call = await deployment.call(place, ask);
    calls.push(call);
    return call;
  };
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const { outcome, refusal, answeredMs } = await send();
    if (outcome === 'other') return { calls, result: 'skipped', why: 'a call failed' };
    if (refusal === undefined) continue;
    const { limit, retryAfterMs: waitMs } = refusal;
    if (limit === undefined || !limits.has(limit))
      return { calls, result: 'skipped', why: `${limit ?? 'another limit'} refused` };
    if (waitMs === undefined || waitMs > LONGEST_WAIT_MS)
      return { calls, limit, result: 'skipped', why: 'the wait is too long to be tried' };
    await untilMs(answeredMs + waitMs * (1 + CLOCK_DRIFT) + CLOCK_TICK_MS, () => deployment.nowMs());
    const again = await send();
    if (again.outcome === 'other') return { calls, result: 'skipped', why: 'a call failed' };
    return { calls, limit, waitMs, result: again.outcome === 'admitted' ? 'true' : 'untrue' };
  }
  return { calls, result: 'skipped', why: 'it refills faster than one call follows another' };
}
