import { randomUUID } from 'node:crypto';
import type { Connections } from './connections.ts';
import { limiterScripts, runScript } from './scripts.ts';

/** What a beat tells. */
export interface Beat {
  /** Instances that have beaten lately, this one included. */
  readonly count: number;
  /** This one's place among them, from 0. */
  readonly place: number;
  /** Changes when Redis has lost its memory. */
  readonly epoch: string;
}

/** How often an instance beats, give or take a quarter. */
export const BEAT_MS = 2_000;
/** One that has not beaten for so long is gone. */
const GONE_MS = 10_000;
/** Where nobody has beaten for so long, nobody could. */
const OUTAGE_MS = 1.5 * BEAT_MS;

/**
 * The instances that share a Redis find each other by a heartbeat in it.
 *
 * Their parts of a limit must not add up to more than it when Redis goes away, even just after it came back. So the time of an outage
 * makes nobody gone (`beat.lua`), and where Redis has lost its memory each instance keeps its place until as many are back, or could be.
 */
export class Instances {
  readonly #connections: Connections;
  readonly #keys: readonly string[];
  readonly #script = limiterScripts('redis').beat;
  readonly #name = randomUUID();
  readonly #nowMs: () => number;
  #last: Beat | undefined;
  /** Until then fewer instances than before are not believed. */
  #keepsPlaceUntilMs = 0;

  /** @param nowMs a clock that never jumps */
  constructor(connections: Connections, keyPrefix: string, nowMs = () => performance.now()) {
    this.#connections = connections;
    this.#nowMs = nowMs;
    this.#keys = [`{${keyPrefix}}:instances`, `{${keyPrefix}}:epoch`];
  }

  /** Says that this instance is there. It writes, so it fails wherever an admission would. */
  async beat(): Promise<Beat> {
    const told = await this.#run('0');
    if (!Array.isArray(told)) throw new TypeError('Redis answered a beat with something else');
    const [count, place, epoch] = told.map((value: unknown) => (Buffer.isBuffer(value) ? `${value}` : value));
    if (typeof count !== 'number' || typeof place !== 'number' || typeof epoch !== 'string')
      throw new TypeError('Redis answered a beat with something else');
    const last = this.#last;
    const nowMs = this.#nowMs();
    if (last && last.epoch !== epoch) this.#keepsPlaceUntilMs = nowMs + GONE_MS;
    const keepsPlace = last && count < last.count && nowMs < this.#keepsPlaceUntilMs;
    this.#last = keepsPlace ? { ...last, epoch } : { count, place, epoch };
    return this.#last;
  }

  /** Says that it is gone, so that the others' shares grow at once. */
  async leave(): Promise<void> {
    await this.#run('1');
  }

  #run(leaves: '0' | '1'): Promise<unknown> {
    const { ending: client, answerWithinMs: withinMs } = this.#connections;
    return runScript({ client, withinMs }, this.#script, this.#keys, [
      this.#name,
      randomUUID(),
      GONE_MS,
      OUTAGE_MS,
      leaves,
    ]);
  }
}
