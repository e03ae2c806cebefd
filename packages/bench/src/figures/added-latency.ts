import type { Bench, Figure } from '../bench.ts';
import { type Numbers, need } from '../remote.ts';
import { median } from '../statistics.ts';
import { startRivals } from './alternate.ts';

/** The share of saturation at which latency is looked at. */
const LOAD = 0.2;

const TITLE = 'Added latency at a fifth of saturation';

/** What one way took: the quantiles of each round, in milliseconds. */
class Way {
  readonly port: number;
  readonly #p50: number[] = [];
  readonly #p99: number[] = [];
  failed = 0;

  constructor(port: number) {
    this.port = port;
  }

  add(outcome: Numbers): void {
    this.#p50.push(need(outcome, 'p50Ms'));
    this.#p99.push(need(outcome, 'p99Ms'));
    this.failed += need(outcome, 'failed');
  }

  get p50(): number {
    return median(this.#p50);
  }

  get p99(): number {
    return median(this.#p99);
  }
}

/**
 * B3: how much longer a small chat call takes through the device than straight to the upstream, at a fifth of saturation: with the
 * buckets in Redis, and with the buckets in the process.
 */
export async function addedLatency(bench: Bench): Promise<Figure[]> {
  const rivals = await startRivals(bench, { probed: false, redis: true });
  const forMs = bench.quick ? 1_000 : 2_000;
  const saturate = (port: number): Promise<Numbers> =>
    bench.load.ask('calls', { port, connections: 16, forMs: bench.quick ? 1_200 : 3_000 });
  try {
    bench.progress('B3 added latency: looking for saturation');
    const straight = new Way(bench.upstreamPort);
    const pipe = new Way(rivals.pipe.port);
    const device = new Way(rivals.device.port);
    const redis = rivals.redisDevice && new Way(rivals.redisDevice.port);
    await saturate(pipe.port);
    let perSecond = Number.POSITIVE_INFINITY;
    for (const way of redis ? [device, redis] : [device])
      perSecond = Math.min(perSecond, need(await saturate(way.port), 'perSecond') * LOAD);
    for (let round = 1, rounds = bench.quick ? 1 : 4; round <= rounds; round++) {
      bench.progress(`B3 added latency: round ${round} of ${rounds}`);
      for (const way of [straight, pipe, device, ...(redis ? [redis] : [])])
        way.add(await bench.load.ask('paced', { port: way.port, perSecond, forMs }));
    }
    const added = (way: Way): string =>
      `p50 ${(way.p50 - straight.p50).toFixed(2)} ms, p99 ${(way.p99 - straight.p99).toFixed(2)} ms`;
    const failed = [straight, pipe, device, redis].reduce((sum, way) => sum + (way?.failed ?? 0), 0);
    const notes = [
      `added by the ${bench.against}: ${added(device)}`,
      `added by the pipe: ${added(pipe)}`,
      `straight to the upstream: p50 ${straight.p50.toFixed(2)} ms, p99 ${straight.p99.toFixed(2)} ms; ${Math.round(perSecond)} requests/s`,
    ];
    if (failed > 0) notes.push(`${failed} calls failed`);
    const memory: Figure = {
      ...{ id: 'B3', title: `${TITLE}, p50, memory`, unit: 'ms' },
      value: device.p50 - straight.p50,
      notes,
    };
    if (bench.against === 'pipe') return [memory];
    const missing = 'missing' in bench.redis ? [bench.redis.missing] : [];
    return [
      {
        ...{ id: 'B3', title: `${TITLE}, p50, Redis`, unit: 'ms', bound: 1, notes: missing },
        value: redis && redis.p50 - straight.p50,
      },
      {
        ...{ id: 'B3', title: `${TITLE}, p99, Redis`, unit: 'ms', bound: 5, notes: [] },
        value: redis && redis.p99 - straight.p99,
      },
      memory,
    ];
  } finally {
    await rivals.stop();
  }
}
