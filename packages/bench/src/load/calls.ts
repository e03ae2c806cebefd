import { setTimeout as wait } from 'node:timers/promises';
import type { Numbers } from '../remote.ts';
import { need } from '../remote.ts';
import { quantile } from '../statistics.ts';
import { Connection } from './connection.ts';
import { smallChatCalls } from './requests.ts';

/** Milliseconds between two looks of the paced load at what is due. */
const TICK_MS = 1;

const calls = smallChatCalls();
let next = 0;

function nextCall(): Buffer {
  next = (next + 1) % calls.length;
  return calls[next] ?? Buffer.alloc(0);
}

/** What came of calls so far. */
class Outcome {
  done = 0;
  failed = 0;
  readonly latenciesMs: number[] = [];

  async of(connection: Connection): Promise<void> {
    const startedMs = performance.now();
    try {
      const { status } = await connection.send(nextCall());
      if (status !== 200) this.failed += 1;
      this.done += 1;
      this.latenciesMs.push(performance.now() - startedMs);
    } catch {
      this.failed += 1;
    }
  }

  numbers(elapsedMs: number): Numbers {
    return {
      done: this.done,
      failed: this.failed,
      perSecond: (this.done / elapsedMs) * 1_000,
      p50Ms: quantile(this.latenciesMs, 0.5),
      p99Ms: quantile(this.latenciesMs, 0.99),
    };
  }
}

function openAll(port: number, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(port)));
}

/** Calls back to back on each of `connections` connections to `port`, for `forMs`. */
export async function callsBackToBack(asked: Numbers): Promise<Numbers> {
  const connections = await openAll(need(asked, 'port'), need(asked, 'connections'));
  const outcome = new Outcome();
  const startedMs = performance.now();
  const endMs = startedMs + need(asked, 'forMs');
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() < endMs && !connection.closed) await outcome.of(connection);
    }),
  );
  const elapsedMs = performance.now() - startedMs;
  for (const connection of connections) connection.close();
  return outcome.numbers(elapsedMs);
}

/**
 * `perSecond` calls at an even pace for `forMs`, whether the earlier ones have been answered or not: a slow answer delays no
 * later call, and so is not counted once where many would have waited.
 */
export async function pacedCalls(asked: Numbers): Promise<Numbers> {
  const port = need(asked, 'port');
  const free = await openAll(port, 16);
  const outcome = new Outcome();
  const pending = new Set<Promise<void>>();
  const startedMs = performance.now();
  const forMs = need(asked, 'forMs');
  const perMs = need(asked, 'perSecond') / 1_000;
  const call = async (): Promise<void> => {
    const connection = free.pop() ?? (await Connection.open(port));
    await outcome.of(connection);
    if (!connection.closed) free.push(connection);
  };
  for (let issued = 0, elapsed = 0; elapsed < forMs; elapsed = performance.now() - startedMs) {
    for (; issued < elapsed * perMs; issued++) {
      const one = call().catch(() => {
        outcome.failed += 1;
      });
      pending.add(one);
      void one.then(() => pending.delete(one));
    }
    await wait(TICK_MS);
  }
  const elapsedMs = performance.now() - startedMs;
  await Promise.all(pending);
  for (const connection of free) connection.close();
  return outcome.numbers(elapsedMs);
}
