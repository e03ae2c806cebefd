import type { Bench, Figure } from '../bench.ts';
import { type Numbers, need } from '../remote.ts';
import { median } from '../statistics.ts';
import { startRivals } from './alternate.ts';

/** The share of saturation at which latency is looked at. */
const LOAD = 0.2;

/** B3: how much longer a small chat call takes through the device than straight to the upstream, at a fifth of saturation. */
export async function addedLatency(bench: Bench): Promise<Figure> {
  const rivals = await startRivals(bench, { probed: false });
  const { device, pipe } = rivals;
  const forMs = bench.quick ? 1_000 : 2_000;
  const saturate = (port: number): Promise<Numbers> =>
    bench.load.ask('calls', { port, connections: 16, forMs: bench.quick ? 1_200 : 3_000 });
  try {
    bench.progress('B3 added latency: looking for saturation');
    await saturate(pipe.port);
    const perSecond = need(await saturate(device.port), 'perSecond') * LOAD;
    const ports = { straight: bench.upstreamPort, pipe: pipe.port, device: device.port };
    const p50 = { straight: [0], pipe: [0], device: [0] };
    const p99 = { straight: [0], pipe: [0], device: [0] };
    for (const list of [...Object.values(p50), ...Object.values(p99)]) list.length = 0;
    let failed = 0;
    for (let round = 1, rounds = bench.quick ? 1 : 4; round <= rounds; round++) {
      bench.progress(`B3 added latency: round ${round} of ${rounds}`);
      for (const way of ['straight', 'pipe', 'device'] as const) {
        const outcome = await bench.load.ask('paced', { port: ports[way], perSecond, forMs });
        p50[way].push(need(outcome, 'p50Ms'));
        p99[way].push(need(outcome, 'p99Ms'));
        failed += need(outcome, 'failed');
      }
    }
    const added = (of: typeof p50, way: 'pipe' | 'device'): number => median(of[way]) - median(of.straight);
    return figure(bench, {
      device: { p50: added(p50, 'device'), p99: added(p99, 'device') },
      pipe: { p50: added(p50, 'pipe'), p99: added(p99, 'pipe') },
      straight: { p50: median(p50.straight), p99: median(p99.straight) },
      perSecond,
      failed,
    });
  } finally {
    await rivals.stop();
  }
}

interface Times {
  readonly p50: number;
  readonly p99: number;
}

function figure(
  bench: Bench,
  found: { device: Times; pipe: Times; straight: Times; perSecond: number; failed: number },
): Figure {
  const show = ({ p50, p99 }: Times): string => `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
  const notes = [
    `added by the ${bench.against}: ${show(found.device)}`,
    `added by the pipe: ${show(found.pipe)}`,
    `straight to the upstream: ${show(found.straight)}; ${Math.round(found.perSecond)} requests/s`,
  ];
  if (found.failed > 0) notes.push(`${found.failed} calls failed`);
  return {
    id: 'B3',
    title: 'Added latency at a fifth of saturation, p50',
    value: found.device.p50,
    unit: 'ms',
    notes,
  };
}
