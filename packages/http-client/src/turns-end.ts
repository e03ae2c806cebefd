/** What is to be done at the end of a turn of the event loop. */
export interface AtTurnsEnd {
  atTurnsEnd(): void;
}

let waiting: AtTurnsEnd[] = [];

/**
 * Leaves work for the end of this turn of the event loop, when everything that the turn has read is dealt with; in the order in which it came.
 *
 * Writes that wait for it leave together: the process at the other end is woken once for all of them, not for each, and the code that
 * reads and the code that writes stay in the processor's caches by turns. Measured with `npm run bench B1`: a quarter of the CPU time of a call.
 */
export function waitForTurnsEnd(work: AtTurnsEnd): void {
  if (waiting.push(work) === 1) setImmediate(doAll);
}

function doAll(): void {
  const all = waiting;
  waiting = [];
  let done = 0;
  try {
    for (const work of all) {
      done += 1;
      work.atTurnsEnd();
    }
  } finally {
    // One that throws takes none of the others along.
    putInFront(all.slice(done));
  }
}

function putInFront(works: readonly AtTurnsEnd[]): void {
  if (works.length === 0) return;
  if (waiting.length === 0) setImmediate(doAll);
  waiting = [...works, ...waiting];
}
