import { setTimeout as wait } from 'node:timers/promises';
import { type Bench, type Figure, NOT_MEASURABLE } from '../bench.ts';
import { type Device, type DeviceKind, startDevice } from '../device/device.ts';
import { openFilesLimit } from '../machine.ts';
import { residentKb as residentKbOf } from '../proc.ts';
import { need } from '../remote.ts';

const STREAMS = 2_000;
/** Each open stream goes on bringing something. */
const INTERVAL_MS = 2_000;
/** Two sockets for each stream, and as much again for all else. */
const FILES = 2 * STREAMS + 200;
const SETTLE_MS = 3_000;
const QUICK_SETTLE_MS = 1_500;

interface Held {
  readonly residentKb: number | undefined;
  /** The same after a collection. */
  readonly collectedKb: number | undefined;
  readonly heapKb: number;
  readonly live: number;
}

/** B4: resident memory with 2,000 streams open, less that of the warm idle process, for each stream. */
export async function streamMemory(bench: Bench): Promise<Figure> {
  const base = { id: 'B4', title: `Memory an open stream, ${STREAMS} at once`, unit: 'KB', bound: 40 };
  const files = openFilesLimit();
  if (files < FILES) {
    const note = `needs ${FILES} open files a process, and ${files} are allowed: ulimit -n ${FILES}`;
    return { ...base, value: undefined, notes: [note] };
  }
  const device = await measure(bench, bench.against);
  const pipe = await measure(bench, 'pipe');
  const kb = (value: number | undefined): string => `${value?.toFixed(1) ?? '?'} KB`;
  const show = ({ residentKb, collectedKb, heapKb, live }: Held): string =>
    `${kb(residentKb)} resident, ${kb(collectedKb)} after a collection, ${kb(heapKb)} of it heap; ${live} streams open`;
  const notes = [`${bench.against} ${show(device)}`, `pipe ${show(pipe)}`];
  if (device.residentKb === undefined) notes.push(NOT_MEASURABLE);
  if (device.live < STREAMS)
    notes.push(`only ${device.live} of ${STREAMS} streams stayed open: the figure is worth nothing`);
  return { ...base, value: device.live < STREAMS ? undefined : device.residentKb, notes };
}

async function measure(bench: Bench, kind: DeviceKind): Promise<Held> {
  bench.progress(`B4 memory a stream: warming up the ${kind}`);
  const device = await startDevice(kind, bench, { probed: true });
  try {
    const { port } = device;
    await bench.load.ask('calls', { port, connections: 16, forMs: 1_000 });
    await bench.load.ask('streams', { port, streams: 100, chunks: 20, intervalMs: 10 });
    const idle = await memoryOf(device);
    bench.progress(`B4 memory a stream: ${STREAMS} streams through the ${kind}`);
    await bench.load.ask('hold', { port, streams: STREAMS, intervalMs: INTERVAL_MS, withinMs: 20_000 });
    await wait(bench.quick ? QUICK_SETTLE_MS : SETTLE_MS);
    const live = need(await bench.load.ask('live'), 'live');
    // Resident before anything is collected: what an operator sees.
    const resident = await residentKbOf(device.pid);
    const loaded = await memoryOf(device);
    const each = (kb: number | undefined): number | undefined =>
      kb === undefined || idle.resident === undefined ? undefined : (kb - idle.resident) / live;
    return {
      residentKb: each(resident),
      collectedKb: each(loaded.resident),
      heapKb: (loaded.heap - idle.heap) / live,
      live,
    };
  } finally {
    await bench.load.ask('release');
    await device.stop();
  }
}

/** What is left after the garbage is gone. */
async function memoryOf(device: Device): Promise<{ resident: number | undefined; heap: number }> {
  await wait(1_000);
  const heap = need(await device.remote.ask('collect'), 'heapKb');
  return { resident: await residentKbOf(device.pid), heap };
}
