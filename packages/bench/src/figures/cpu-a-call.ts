import { type Bench, type Figure, NOT_MEASURABLE } from '../bench.ts';
import type { Device } from '../device/device.ts';
import { cpuTimeMs } from '../proc.ts';
import { need } from '../remote.ts';
import { median, type Pair, ratioSpread } from '../statistics.ts';
import { alternate, startRivals } from './alternate.ts';

/** Until V8 has compiled what is called often, a call costs up to twice as much: some 6 s of load, in rounds of 1.2 s. */
const WARM_UPS = 6;

const TITLE = 'CPU a small chat call, every limit on';

/** What came of one device besides its CPU time. */
interface Tally {
  readonly perSecond: number[];
  done: number;
  failed: number;
}

/**
 * B1: CPU time of the device for each small chat call, its whole answer at once, divided by the pipe's: with the buckets in Redis, and
 * with the buckets in the process.
 */
export async function cpuACall(bench: Bench): Promise<Figure[]> {
  const { redis } = bench;
  const rivals = await startRivals(bench, { probed: false, redis: true });
  const tallies = new Map<Device, Tally>();
  let redisCalls = 0;
  const measure = async (device: Device): Promise<number> => {
    const tally = tallies.get(device) ?? { perSecond: [], done: 0, failed: 0 };
    tallies.set(device, tally);
    if (!('missing' in redis)) await redis.forgetCalls();
    const before = await cpuTimeMs(device.pid);
    const outcome = await bench.load.ask('calls', {
      port: device.port,
      connections: bench.connections,
      forMs: 1_200,
    });
    const after = await cpuTimeMs(device.pid);
    if (device === rivals.redisDevice && !('missing' in redis)) redisCalls += (await redis.calls()).count;
    tally.done += need(outcome, 'done');
    tally.failed += need(outcome, 'failed');
    tally.perSecond.push(need(outcome, 'perSecond'));
    if (before === undefined || after === undefined) return Number.NaN;
    return ((after - before) * 1_000) / need(outcome, 'done');
  };
  try {
    const found = await alternate(
      bench,
      rivals,
      { what: 'B1 CPU a call', rounds: bench.quick ? 4 : 15, warmUps: bench.quick ? 2 : WARM_UPS },
      measure,
    );
    const says = (device: Device, us: number): string => {
      const { perSecond, failed } = tallies.get(device) ?? { perSecond: [], failed: 0 };
      const fate = failed > 0 ? `; ${failed} calls failed: the figure is worth nothing` : '';
      return `${us.toFixed(0)} µs, ${Math.round(median(perSecond))} requests/s${fate}`;
    };
    const figure = (device: Device, pairs: readonly Pair[], where: string, notes: string[]): Figure => {
      const spread = ratioSpread(pairs);
      const hasFailed = (tallies.get(device)?.failed ?? 0) > 0;
      const isWorthless = hasFailed || Number.isNaN(spread.median) || (where === 'Redis' && redisCalls === 0);
      return {
        id: 'B1',
        title: `${TITLE}, ${where}`,
        value: isWorthless ? undefined : spread.median,
        spread,
        unit: '× pipe',
        bound: 1,
        notes: [
          `${bench.against} ${says(device, median(pairs.map((pair) => pair.device)))}`,
          `pipe ${says(rivals.pipe, median(pairs.map(({ pipe }) => pipe)))}`,
          ...(Number.isNaN(spread.median) ? [NOT_MEASURABLE] : []),
          ...notes,
        ],
      };
    };
    const memory = figure(rivals.device, found.device, 'memory', []);
    if (bench.against === 'pipe') return [memory];
    if (!rivals.redisDevice) return [notMeasured(redis), memory];
    const done = tallies.get(rivals.redisDevice)?.done ?? 0;
    const share = `${bench.connections} connections; ${(redisCalls / done).toFixed(2)} calls of scripts a request, ends too`;
    return [figure(rivals.redisDevice, found.redisDevice, 'Redis', [share]), memory];
  } finally {
    await rivals.stop();
  }
}

function notMeasured(redis: Bench['redis']): Figure {
  const notes = 'missing' in redis ? [redis.missing] : [];
  return { id: 'B1', title: `${TITLE}, Redis`, value: undefined, unit: '× pipe', bound: 1, notes };
}
