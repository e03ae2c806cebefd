import type { Bench, Figure } from '../bench.ts';
import { type DeviceKind, startDevice } from '../device/device.ts';
import { type Numbers, need } from '../remote.ts';

/** B5: how late the event loop comes round while 10 MB bodies and hostile texts arrive without a pause. */
export async function loopDelay(bench: Bench): Promise<Figure> {
  const device = await measure(bench, bench.against);
  const pipe = await measure(bench, 'pipe');
  const notes = [`${bench.against} ${show(device)}`, `pipe ${show(pipe)}`, fates(device)];
  if (need(device, 'failed') + need(device, 'broken') + need(device, 'ordinaryFailed') > 0)
    notes.push('some calls failed: see the line before');
  return {
    id: 'B5',
    title: 'Event loop delay, p99, under hostile bodies',
    value: need(device, 'p99Ms'),
    unit: 'ms',
    bound: 10,
    notes,
  };
}

async function measure(bench: Bench, kind: DeviceKind): Promise<Numbers> {
  bench.progress(`B5 loop delay: warming up the ${kind}`);
  const device = await startDevice(kind, bench, { probed: true });
  try {
    const { port } = device;
    await bench.load.ask('calls', { port, connections: 16, forMs: 1_000 });
    bench.progress(`B5 loop delay: hostile bodies through the ${kind}`);
    await device.remote.ask('watch');
    const outcome = await bench.load.ask('hostility', { port, forMs: bench.quick ? 3_000 : 10_000 });
    const delay = await device.remote.ask('delay');
    const { p99Ms: ordinaryP99Ms = Number.NaN, ...rest } = outcome;
    return { ...rest, ordinaryP99Ms, ...delay };
  } finally {
    await device.stop();
  }
}

function show(found: Numbers): string {
  const ms = (name: string): string => `${need(found, name).toFixed(1)} ms`;
  return `p99 ${ms('p99Ms')}, by its own work ${ms('ownP99Ms')}, by time ${ms('byTimeP99Ms')}, max ${ms('maxMs')}; ordinary calls p99 ${ms('ordinaryP99Ms')}`;
}

function fates(found: Numbers): string {
  const count = (name: string): number => need(found, name);
  return `hostile calls: ${count('passed')} passed, ${count('refused')} refused (4xx), ${count('failed')} failed (5xx), ${count('broken')} broken off; ordinary calls failed: ${count('ordinaryFailed')}`;
}
