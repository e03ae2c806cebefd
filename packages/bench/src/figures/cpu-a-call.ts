import { type Bench, type Figure, NOT_MEASURABLE } from '../bench.ts';
import type { Device } from '../device/device.ts';
import { cpuTimeMs } from '../proc.ts';
import { need } from '../remote.ts';
import { median, ratioSpread } from '../statistics.ts';
import { alternate, startRivals } from './alternate.ts';

/** As many as keep one core busy, with no queue of note before it. */
const CONNECTIONS = 16;

/** B1: CPU time of the device for each small chat call, its whole answer at once, divided by the pipe's. */
export async function cpuACall(bench: Bench): Promise<Figure> {
  const rivals = await startRivals(bench, { probed: false });
  const rates = new Map<Device, number[]>([
    [rivals.device, []],
    [rivals.pipe, []],
  ]);
  let failed = 0;
  const measure = async (device: Device): Promise<number> => {
    const before = await cpuTimeMs(device.pid);
    const outcome = await bench.load.ask('calls', {
      port: device.port,
      connections: CONNECTIONS,
      forMs: 1_200,
    });
    const after = await cpuTimeMs(device.pid);
    failed += need(outcome, 'failed');
    rates.get(device)?.push(need(outcome, 'perSecond'));
    if (before === undefined || after === undefined) return Number.NaN;
    return ((after - before) * 1_000) / need(outcome, 'done');
  };
  try {
    const pairs = await alternate(
      bench,
      rivals,
      { what: 'B1 CPU a call', rounds: bench.quick ? 4 : 18 },
      measure,
    );
    const spread = ratioSpread(pairs);
    const of = (device: Device, us: number): string =>
      `${us.toFixed(0)} µs, ${Math.round(median(rates.get(device) ?? []))} requests/s`;
    const notes = [
      `${bench.against} ${of(rivals.device, median(pairs.map(({ device }) => device)))}`,
      `pipe ${of(rivals.pipe, median(pairs.map(({ pipe }) => pipe)))}`,
    ];
    if (failed > 0) notes.push(`${failed} calls failed: the figure is worth nothing`);
    if (Number.isNaN(spread.median)) notes.push(NOT_MEASURABLE);
    return {
      id: 'B1',
      title: 'CPU a small chat call, every limit on',
      value: failed > 0 || Number.isNaN(spread.median) ? undefined : spread.median,
      spread,
      unit: '× pipe',
      bound: 1,
      notes,
    };
  } finally {
    await rivals.stop();
  }
}
