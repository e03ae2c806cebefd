import type { BucketView } from '@nexus/domain';
import { nameOf } from '../listed-limits.ts';
import type { LimitRow } from '../report.ts';
import type { Phase, RunRecord } from '../run-record.ts';
import { admittedUnder, barredBy, refusedBy } from './admitted.ts';
import { mostAtOnce } from './held-at-once.ts';
import { promiseOf } from './promise.ts';
import { SETTLED_AFTER_MS } from './settled.ts';

/** Judges a limit on requests at once by the streams that were certainly open together. */
export function slotRow(view: BucketView, run: RunRecord): LimitRow {
  const limit = nameOf(view);
  const held = admittedUnder(view, run.phases).map(({ answeredMs, endedMs }) => ({
    fromMs: answeredMs,
    // A slot is free as soon as the gateway has sent the last byte; its client sees that later.
    toMs: endedMs - SETTLED_AFTER_MS,
  }));
  const most = mostAtOnce(held);
  const { fromMs, toMs, slots } = most;
  const over = slots - view.size;
  const worst = { fromMs, toMs, units: slots, allowed: view.size, over };
  const base = { limit, promise: promiseOf(view), worst, isUnderUsed: false };
  const phase = run.phases.find(({ limits }) => limits.includes(limit));
  const numbers = phase
    ? { allowed: view.size, through: slots, usedShare: view.size > 0 ? slots / view.size : 0 }
    : {};
  if (over > 0) return { ...base, ...numbers, state: 'broken' };
  if (phase === undefined) return { ...base, state: 'not driven', note: run.left.get(limit) ?? '' };
  if (slots === view.size && refusedBy(phase, limit) > 0) return { ...base, ...numbers, state: 'held' };
  const note = tooShort(phase)
    ? 'the answers were too short to hold slots for a second: take a slower model'
    : barredBy(limit, run);
  return { ...base, ...numbers, state: 'not reached', note };
}

function tooShort({ calls }: Phase): boolean {
  const admitted = calls.filter(({ outcome }) => outcome === 'admitted');
  return admitted.every(({ answeredMs, endedMs }) => endedMs - answeredMs < 2 * SETTLED_AFTER_MS);
}
