/**
 * Preloaded into a device under test (`node --import`): tells its parent how late its event loop is and what it holds in memory.
 * In B1 and B2 nothing is preloaded.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { type Answering, answerParent, type Numbers } from '../remote.ts';
import { quantile, waitQuantile } from '../statistics.ts';

/** How often the loop is looked at. The monitor's figures hold this interval itself, so it is taken off. */
const EVERY_MS = 1;

const monitor = monitorEventLoopDelay({ resolution: EVERY_MS });
let gaps: number[] = [];
/** CPU time of the main thread in each gap: the rest of it, other processes had the core. */
let work: number[] = [];
let timer: NodeJS.Timeout | undefined;

function watch(): Numbers {
  monitor.reset();
  monitor.enable();
  gaps = [];
  work = [];
  let last = performance.now();
  let lastWork = process.threadCpuUsage();
  clearInterval(timer);
  timer = setInterval(() => {
    const now = performance.now();
    const { user, system } = process.threadCpuUsage(lastWork);
    gaps.push(now - last);
    work.push((user + system) / 1_000);
    lastWork = process.threadCpuUsage();
    last = now;
  }, EVERY_MS);
  timer.unref();
  return {};
}

async function delay(): Promise<Numbers> {
  // A wait that isn't over yet has reached neither timer: both are overdue, and run before this one.
  await setTimeout(2 * EVERY_MS);
  monitor.disable();
  clearInterval(timer);
  return {
    p99Ms: late(monitor.percentile(99) / 1e6),
    maxMs: late(monitor.max / 1e6),
    ownP99Ms: quantile(work, 0.99),
    byTimeP99Ms: late(waitQuantile(gaps, 0.99)),
  };
}

function late(gapMs: number): number {
  return Math.max(0, gapMs - EVERY_MS);
}

function memory(): Numbers {
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapKb: heapUsed / 1024, externalKb: external / 1024, residentKb: rss / 1024 };
}

function collect(): Numbers {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc === 'function') gc();
  return memory();
}

// Worker threads preload it too.
if (isMainThread) {
  answerParent(
    new Map<string, Answering>([
      ['watch', watch],
      ['delay', delay],
      ['memory', memory],
      ['collect', collect],
    ]),
  );
  // The measurement alone keeps no process alive.
  process.channel?.unref();
}
