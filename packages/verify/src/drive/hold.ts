import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '../call.ts';
import type { Ask, Deployment } from '../deployment.ts';

export interface Hold {
  readonly deployment: Deployment;
  readonly places: readonly number[];
  /** A stream. */
  readonly ask: Ask;
  /** Streams to open at once; each is opened until it is let through, once. */
  readonly streams: number;
  /** What is open then is left. */
  readonly seconds: number;
}

/** Who was refused tries again so soon, so that the slots are asked for all the time. */
const ASK_AGAIN_MS = 150;
const MOST_FAILURES = 5;

/** Opens streams until each has been let through or the time is over, and reads them to their ends. */
export async function hold({ deployment, places, ask, streams, seconds }: Hold): Promise<Call[]> {
  const calls: Call[] = [];
  const leave = AbortSignal.timeout(Math.ceil(seconds * 1000));
  const open = async (first: number) => {
    for (let turn = first, failures = 0; !leave.aborted && failures < MOST_FAILURES; turn += 1) {
      const call = await deployment.call(places[turn % places.length] ?? 0, ask, leave);
      // Left before its answer began: that is no fault of the deployment, and proves nothing.
      if (call.outcome === 'other' && leave.aborted) return;
      calls.push(call);
      if (call.outcome === 'admitted') return;
      if (call.outcome === 'other') failures += 1;
      await sleep(ASK_AGAIN_MS);
    }
  };
  await Promise.all(Array.from({ length: streams }, (_, place) => open(place)));
  return calls;
}
