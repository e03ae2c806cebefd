import type { Bench } from '../bench.ts';
import { type Device, startDevice } from '../device/device.ts';
import type { Pair } from '../statistics.ts';

/** Both of them, freshly started. */
export interface Rivals {
  readonly device: Device;
  readonly pipe: Device;
  readonly stop: () => Promise<void>;
}

export async function startRivals(bench: Bench, options: { probed: boolean }): Promise<Rivals> {
  const pipe = await startDevice('pipe', bench, options);
  const device = await startDevice(bench.against, bench, options);
  return {
    device,
    pipe,
    stop: async () => {
      await Promise.all([device.stop(), pipe.stop()]);
    },
  };
}

/**
 * Takes a figure of both in turn, `rounds` times, each time in the other order: what drifts hits both alike.
 * One round before the first warms them up and isn't counted.
 */
export async function alternate(
  bench: Bench,
  { device, pipe }: Rivals,
  options: { readonly what: string; readonly rounds: number },
  measure: (device: Device) => Promise<number>,
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let round = 0; round <= options.rounds; round++) {
    bench.progress(
      round === 0 ? `${options.what}: warming up` : `${options.what}: round ${round} of ${options.rounds}`,
    );
    if (round % 2 === 0) {
      const pipeFirst = await measure(pipe);
      pairs.push({ pipe: pipeFirst, device: await measure(device) });
    } else {
      const deviceFirst = await measure(device);
      pairs.push({ device: deviceFirst, pipe: await measure(pipe) });
    }
  }
  return pairs.slice(1);
}
