import type { Bench, Figure } from '../bench.ts';
import { type DeviceKind, deviceArgs } from '../device/device.ts';
import { freePort, startNode, untilListening } from '../started-process.ts';
import { spreadOf } from '../statistics.ts';

const STARTS = 5;

/** B7: from the spawn to the first connection that is taken, with warm disk caches, on any core. */
export async function startTime(bench: Bench): Promise<Figure> {
  const device = await times(bench, bench.against);
  const pipe = await times(bench, 'pipe');
  const spread = spreadOf(device);
  const notes = [`pipe ${spreadOf(pipe).median.toFixed(2)} s; median of ${STARTS} starts each`];
  return { id: 'B7', title: 'Start to listening', value: spread.median, spread, unit: 's', bound: 1, notes };
}

async function times(bench: Bench, kind: DeviceKind): Promise<number[]> {
  const seconds: number[] = [];
  // The first warms the disk cache.
  for (let start = 0; start <= STARTS; start++) {
    bench.progress(`B7 start: the ${kind}, ${start} of ${STARTS}`);
    const port = await freePort();
    const startedMs = performance.now();
    const started = startNode(deviceArgs(kind, port, bench), { cores: undefined, asks: false });
    await untilListening(started, port);
    seconds.push((performance.now() - startedMs) / 1_000);
    await started.stop();
  }
  return seconds.slice(1);
}
