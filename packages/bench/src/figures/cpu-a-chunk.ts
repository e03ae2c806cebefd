import { type Bench, type Figure, NOT_MEASURABLE } from '../bench.ts';
import type { Device } from '../device/device.ts';
import { cpuTimeMs } from '../proc.ts';
import { need } from '../remote.ts';
import { median, ratioSpread } from '../statistics.ts';
import { alternate, startRivals } from './alternate.ts';

const STREAMS = 50;
const CHUNKS = 200;
/** 100 pieces a second of each stream, the pace of a quick model; far enough apart that no two come in one read. */
const INTERVAL_MS = 10;

/** B2: CPU time of the device for each chunk of a stream, its begin and end shared among its chunks, divided by the pipe's. */
export async function cpuAChunk(bench: Bench): Promise<Figure> {
  const rivals = await startRivals(bench, { probed: false });
  let failed = 0;
  const togetherness: number[] = [];
  const measure = async (device: Device): Promise<number> => {
    const before = await cpuTimeMs(device.pid);
    const outcome = await bench.load.ask('streams', {
      port: device.port,
      streams: STREAMS,
      chunks: CHUNKS,
      intervalMs: INTERVAL_MS,
    });
    const after = await cpuTimeMs(device.pid);
    failed += need(outcome, 'failed');
    togetherness.push(need(outcome, 'events') / need(outcome, 'reads'));
    if (before === undefined || after === undefined) return Number.NaN;
    return ((after - before) * 1_000) / need(outcome, 'events');
  };
  try {
    const { device: pairs } = await alternate(
      bench,
      rivals,
      { what: 'B2 CPU a chunk', rounds: bench.quick ? 3 : 11 },
      measure,
    );
    const spread = ratioSpread(pairs);
    const notes = [
      `${bench.against} ${median(pairs.map(({ device }) => device)).toFixed(1)} µs, pipe ${median(pairs.map(({ pipe }) => pipe)).toFixed(1)} µs`,
      `${STREAMS} streams of ${CHUNKS} chunks, ${INTERVAL_MS} ms apart; ${median(togetherness).toFixed(2)} chunks a read`,
    ];
    if (failed > 0) notes.push(`${failed} streams were not whole: the figure is worth nothing`);
    if (Number.isNaN(spread.median)) notes.push(NOT_MEASURABLE);
    return {
      id: 'B2',
      title: 'CPU a streamed chunk',
      value: failed > 0 || Number.isNaN(spread.median) ? undefined : spread.median,
      spread,
      unit: '× pipe',
      bound: 1.15,
      notes,
    };
  } finally {
    await rivals.stop();
  }
}
