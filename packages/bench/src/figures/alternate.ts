import type { Bench } from '../bench.ts';
import { type Device, startDevice } from '../device/device.ts';
import type { Pair } from '../statistics.ts';

/** All of them, freshly started. */
export interface Rivals {
  readonly device: Device;
  /** A gateway whose buckets are in Redis; undefined: none was wanted, or there is no Redis. */
  readonly redisDevice: Device | undefined;
  readonly pipe: Device;
  readonly stop: () => Promise<void>;
}

export interface RivalOptions {
  readonly probed: boolean;
  /** Whether there is to be one with Redis too. */
  readonly redis?: boolean;
}

export async function startRivals(bench: Bench, options: RivalOptions): Promise<Rivals> {
  const { redis, against } = bench;
  const pipe = await startDevice('pipe', bench, options);
  const device = await startDevice(against, bench, options);
  const hasRedis = options.redis === true && against === 'gateway' && !('missing' in redis);
  const redisDevice = hasRedis
    ? await startDevice('gateway', { ...bench, configFile: redis.configFile }, options)
    : undefined;
  return {
    device,
    redisDevice,
    pipe,
    stop: async () => {
      await Promise.all([device.stop(), redisDevice?.stop(), pipe.stop()]);
    },
  };
}

/** What `alternate` found: each device beside the pipe in the same round. */
export interface Rounds {
  readonly device: readonly Pair[];
  /** Empty without one. */
  readonly redisDevice: readonly Pair[];
}

/**
 * Takes a figure of all in turn, `rounds` times, each time beginning with another: what drifts hits all alike. One round, or `warmUps`,
 * before the first warm them up and aren't counted.
 */
export async function alternate(
  bench: Bench,
  { device, redisDevice, pipe }: Rivals,
  options: { readonly what: string; readonly rounds: number; readonly warmUps?: number },
  measure: (device: Device) => Promise<number>,
): Promise<Rounds> {
  const all = redisDevice ? [pipe, device, redisDevice] : [pipe, device];
  const found: { readonly device: Pair[]; readonly redisDevice: Pair[] } = { device: [], redisDevice: [] };
  const { what, rounds, warmUps = 1 } = options;
  for (let round = 1 - warmUps; round <= rounds; round++) {
    bench.progress(round <= 0 ? `${what}: warming up` : `${what}: round ${round} of ${rounds}`);
    const figures = new Map<Device, number>();
    for (let turn = 0; turn < all.length; turn++) {
      const one = all[(round + warmUps + turn) % all.length];
      if (one !== undefined) figures.set(one, await measure(one));
    }
    if (round <= 0) continue;
    const figureOf = (one: Device): number => figures.get(one) ?? Number.NaN;
    found.device.push({ device: figureOf(device), pipe: figureOf(pipe) });
    if (redisDevice) found.redisDevice.push({ device: figureOf(redisDevice), pipe: figureOf(pipe) });
  }
  return found;
}
