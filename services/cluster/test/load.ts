import { setTimeout as wait } from 'node:timers/promises';
import type { Clients } from './clients.ts';

/** Calls that are under way at once, at most: above, the pace waits for them. */
const MOST_UNDER_WAY = 48;
const STEP_MS = 5;

/** A load that goes on until it is ended. */
export interface Load {
  /** Sends no more, and resolves when every call is over. */
  end(): Promise<void>;
}

/**
 * Sends at a steady pace until it is ended. A turn that comes late is made up for, as far as not too many calls are under way.
 * @param send sends the call of this number, from 0
 */
export function startLoad(clients: Clients, perSecond: number, send: (index: number) => void): Load {
  let isOver = false;
  const run = async () => {
    const startedMs = performance.now();
    for (let index = 0; !isOver; ) {
      const due = ((performance.now() - startedMs) / 1_000) * perSecond;
      while (index < due && clients.underWay < MOST_UNDER_WAY) send(index++);
      await wait(STEP_MS);
    }
  };
  const running = run();
  return {
    async end() {
      isOver = true;
      await running;
      await clients.settled();
    },
  };
}

/** A load that lasts so long. */
export async function loadFor(
  forMs: number,
  clients: Clients,
  perSecond: number,
  send: (index: number) => void,
): Promise<void> {
  const load = startLoad(clients, perSecond, send);
  await wait(forMs);
  await load.end();
}
