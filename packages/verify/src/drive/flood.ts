import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '../call.ts';
import type { Ask, Deployment } from '../deployment.ts';
import { Pacer } from './pacer.ts';

export interface Flood {
  readonly deployment: Deployment;
  /** Places to spread the calls over. */
  readonly places: readonly number[];
  readonly ask: Ask;
  /** Calls at once. */
  readonly workers: number;
  readonly seconds: number;
  /** Calls to try each second, from the first refusal on; before it, as fast as the connections allow. */
  readonly triesPerSecond: number;
  /** Once so many were let through, no more are sent. */
  readonly mostAdmitted: number;
}

/** After a call that was neither let through nor refused, its sender waits so long. */
const PAUSE_AFTER_FAILURE_MS = 100;
/** With so many failures in a row it is no use to go on. */
const MOST_FAILURES = 50;

/** Sends more than a limit allows until the time is over, and waits for the last answers. */
export async function flood(options: Flood): Promise<Call[]> {
  const { deployment, places, ask, workers, seconds, triesPerSecond, mostAdmitted } = options;
  const calls: Call[] = [];
  const nowMs = () => deployment.nowMs();
  const endMs = nowMs() + seconds * 1000;
  const pacer = new Pacer(triesPerSecond, nowMs);
  let isRefusing = false;
  let admitted = 0;
  let failures = 0;
  let turn = 0;
  const work = async () => {
    while (failures < MOST_FAILURES && admitted < mostAdmitted) {
      if (isRefusing && !(await pacer.turn(endMs))) return;
      if (nowMs() >= endMs) return;
      const place = places[turn % places.length] ?? 0;
      turn += 1;
      const call = await deployment.call(place, ask);
      calls.push(call);
      failures = call.outcome === 'other' ? failures + 1 : 0;
      if (call.outcome === 'admitted') admitted += 1;
      if (call.outcome === 'refused') isRefusing = true;
      if (call.outcome === 'other') await sleep(PAUSE_AFTER_FAILURE_MS);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return calls;
}
