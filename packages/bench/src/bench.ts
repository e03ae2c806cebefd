import type { DeviceKind, Surroundings } from './device/device.ts';
import type { NoRedis, StartedRedis } from './redis.ts';
import type { Remote } from './remote.ts';
import type { Spread } from './statistics.ts';

/** What every figure is taken with. */
export interface Bench extends Surroundings {
  readonly load: Remote;
  /** The configuration of a gateway whose buckets are in Redis, and a look at the scripts that it ran there. */
  readonly redis: GatewayRedis | NoRedis;
  /** Fewer and shorter rounds. */
  readonly quick: boolean;
  /** Over how many connections B1 calls. */
  readonly connections: number;
  /** What is held against the pipe: the gateway, or another pipe, to see what noise alone does. */
  readonly against: DeviceKind;
  /** Says what is being done; one line that the next replaces. */
  readonly progress: (doing: string) => void;
}

/** A Redis for the gateway under test. */
export interface GatewayRedis extends Pick<StartedRedis, 'calls' | 'forgetCalls'> {
  readonly configFile: string;
}

/** A figure of the table. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** What is held against the bound, with what single rounds said; undefined: it could not be measured. */
  readonly value: number | undefined;
  readonly spread?: Spread | undefined;
  /** As `× pipe`, `KB`, `ms`. */
  readonly unit: string;
  /** The most that `value` may be; undefined: for information. */
  readonly bound?: number;
  /** The absolute numbers behind it, and why there is none. */
  readonly notes: readonly string[];
}

/** Takes one figure, or several with the same id. */
export type Measurement = (bench: Bench) => Promise<Figure | readonly Figure[]>;

/** The note of a figure that needs /proc where there is none. */
export const NOT_MEASURABLE = 'cannot be measured on this system: it has no /proc';
