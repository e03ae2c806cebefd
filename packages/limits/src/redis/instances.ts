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

const GONE_MS = 10_000;

/** The instances that share a Redis find each other by a heartbeat in it. */
export class Instances {
  readonly #connections: Connections;
  readonly #keys: readonly string[];
  readonly #script = limiterScripts('redis').beat;
  readonly #name = randomUUID();

  constructor(connections: Connections, keyPrefix: string) {
    this.#connections = connections;
    this.#keys = [`{${keyPrefix}}:instances`, `{${keyPrefix}}:epoch`];
  }

  /** Says that this instance is there. It writes, so it fails wherever an admission would. */
  async beat(): Promise<Beat> {
    const told = await this.#run('0');
    if (!Array.isArray(told)) throw new TypeError('Redis answered a beat with something else');
    const [count, place, epoch] = told.map((value: unknown) => (Buffer.isBuffer(value) ? `${value}` : value));
    if (typeof count !== 'number' || typeof place !== 'number' || typeof epoch !== 'string')
      throw new TypeError('Redis answered a beat with something else');
    return { count, place, epoch };
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
      leaves,
    ]);
  }
}
