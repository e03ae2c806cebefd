import type { Settlement } from '@nexus/domain';
import { AnswerReader, OUT_OF_BOUNDS } from './answer.ts';
import { type Asking, CallMessage, type LeaseTimes } from './asking.ts';
import type { RecordStream } from './redis-limiter-options.ts';
import type { RedisTime } from './redis-time.ts';
import { isReply } from './scripts.ts';

/** What finish.lua does, by its numbers. */
export const SETTLE = 1;
export const CANCEL = 2;
export const RENEW = 3;
export const ASSERT = 4;

/** Something to be told to Redis, at least once. */
export interface Ending {
  readonly what: number;
  readonly markerKey: string;
  readonly asking: Asking;
  /** What goes into the ledger's stream in the same step, where there is one. */
  readonly record?: string | undefined;
  readonly used?: Settlement | undefined;
  /** Units used, one for each bucket, instead of `used`. */
  readonly usedUnits?: readonly number[] | undefined;
  /** Called with Redis' time when Redis has done it. */
  readonly onDone?: (redisMs: number, hasChanged: boolean) => void;
}

interface Queued extends Ending {
  aroundMs: number | undefined;
  tries: number;
  /** Called once: when it is done, or waits for Redis to come back. */
  readonly release: () => void;
}

/** Sends one call of finish.lua, with the records that its message names. */
export interface FinishCall {
  isReady(): boolean;
  send(keys: readonly string[], message: Buffer, records: readonly string[]): Promise<unknown>;
}

export interface EndingQueueOptions {
  readonly call: FinishCall;
  readonly records?: RecordStream | undefined;
  readonly times: LeaseTimes;
  readonly time: RedisTime;
  /** After a call, ends wait so long for company, or for an admission to take them along. */
  readonly gatherMs: number;
  /** They do where so many came within that time: at an end now and then, company isn't worth the wait. */
  readonly gatherFrom: number;
  readonly retryMs: number;
  readonly maxQueued: number;
}

/** Ends on their way. One of the two is called, once; `strand` after `arrive` does nothing. */
export interface Passengers {
  readonly message: CallMessage;
  /** Reads their part of the answer. */
  arrive(reader: AnswerReader): void;
  /** The call has failed. */
  strand(error: unknown): void;
}

const MAX_TOGETHER = 64;
/** A script that fails on the same entry so often fails always: the entry would bar the way for all after it. */
const MAX_TRIES = 5;

/**
 * Tells Redis how requests ended, off their path: many in one call, or with an admission's, in order, again and again until Redis has
 * answered. The scripts know a repetition by the request's marker. When more wait than `maxQueued`, the oldest are lost: their leases end by themselves.
 */
export class EndingQueue {
  readonly #options: EndingQueueOptions;
  #queue: Queued[] = [];
  #isUnderWay = false;
  #timer: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #isGathering = false;
  /** When the last ends came, as many as `gatherFrom`, each in the place of the one that many before it. */
  readonly #cameMs: number[] = [];
  #came = 0;
  #isAway = false;
  #isClosed = false;
  #lost = 0;
  #idle: (() => void)[] = [];

  constructor(options: EndingQueueOptions) {
    this.#options = options;
  }

  /** Entries not yet known to be done. */
  get size(): number {
    return this.#queue.length;
  }

  /** Entries given up. */
  get lost(): number {
    return this.#lost;
  }

  /** Resolves when Redis has done it, or as soon as it is clear that it must wait for Redis to come back. */
  add(ending: Ending): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push({ ...ending, aroundMs: undefined, tries: 0, release: resolve });
      this.#cameMs[this.#came++ % this.#options.gatherFrom] = performance.now();
      if (this.#queue.length > this.#options.maxQueued) {
        this.#queue.shift()?.release();
        this.#lost += 1;
      }
      if (this.#isAway) resolve();
      else this.#next();
    });
  }

  /** What waits, for an admission's call to take along; undefined: nothing may go now, or nothing waits. */
  board(): Passengers | undefined {
    if (this.#isUnderWay || this.#isAway || this.#isClosed || this.#queue.length === 0) return undefined;
    return this.#hasSuspect() ? undefined : this.#embark(MAX_TOGETHER);
  }

  /** Tries now what waits for Redis to come back. */
  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isAway = false;
    this.#isGathering = false;
    this.#next();
  }

  /** Resolves when nothing is left, or after `withinMs`. */
  flush(withinMs: number): Promise<void> {
    if (this.#queue.length === 0 && !this.#isUnderWay) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#next();
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    this.#lost += this.#queue.length;
    for (const { release } of this.#queue) release();
    this.#queue = [];
  }

  #next(): void {
    if (this.#isUnderWay || this.#isAway || this.#isClosed) return;
    if (this.#queue.length === 0) {
      for (const tell of this.#idle.splice(0)) tell();
      return;
    }
    if (!this.#options.call.isReady()) {
      this.#waitForRedis();
      return;
    }
    const isSuspect = this.#hasSuspect();
    const isHurried = isSuspect || this.#idle.length > 0 || this.#queue.length >= MAX_TOGETHER;
    if (this.#isGathering && !isHurried) return;
    const passengers = this.#embark(isSuspect ? 1 : MAX_TOGETHER);
    if (passengers) void this.#send(passengers);
  }

  /** An entry that failed before goes alone: perhaps it alone is at fault. */
  #hasSuspect(): boolean {
    return (this.#queue[0]?.tries ?? 0) > 0;
  }

  #embark(most: number): Passengers | undefined {
    const { times, time, records: stream } = this.#options;
    const together = this.#queue.splice(0, most);
    this.#isUnderWay = true;
    let hasArrived = false;
    const strand = (error: unknown) => {
      if (!hasArrived) this.#land(this.#remain(together, error), true);
    };
    try {
      const message = new CallMessage(times, together.length, { stream });
      for (const ending of together) message.addEnding(ending, ending.aroundMs ?? time.nowMs());
      const arrive = (reader: AnswerReader) => {
        const again = this.#tell(together, reader);
        hasArrived = true;
        this.#land(again, false);
      };
      return { message, arrive, strand };
    } catch (error) {
      strand(error);
      return undefined;
    }
  }

  async #send({ message, arrive, strand }: Passengers): Promise<void> {
    try {
      arrive(new AnswerReader(await this.#options.call.send(message.keys, message.end(), message.records)));
    } catch (error) {
      strand(error);
    }
  }

  #land(again: readonly Queued[], hasFailed: boolean): void {
    this.#isUnderWay = false;
    if (this.#isClosed) {
      this.#lost += again.length;
      for (const { release } of again) release();
      return;
    }
    if (again.length > 0) this.#queue = [...again, ...this.#queue];
    if (hasFailed && again.length > 0) this.#waitForRedis();
    else {
      this.#gather();
      this.#next();
    }
  }

  #gather(): void {
    const { gatherMs } = this.#options;
    this.#isGathering = gatherMs > 0 && this.#hasCompany();
    if (!this.#isGathering) return;
    if (this.#gathering) this.#gathering.refresh();
    else
      this.#gathering = setTimeout(() => {
        this.#isGathering = false;
        this.#next();
      }, gatherMs).unref();
  }

  /** Whether ends come so often that the next one is likely to have company soon. */
  #hasCompany(): boolean {
    const { gatherMs, gatherFrom } = this.#options;
    // The oldest of them stands where the next one will.
    const oldestMs = this.#cameMs[this.#came % gatherFrom];
    return oldestMs !== undefined && performance.now() - oldestMs < gatherMs;
  }

  #tell(together: readonly Queued[], reader: AnswerReader): Queued[] {
    const redisMs = reader.next();
    this.#options.time.learn(redisMs);
    const again: Queued[] = [];
    for (const queued of together) {
      const status = reader.next();
      if (status === OUT_OF_BOUNDS) {
        queued.aroundMs = reader.next();
        queued.tries += 1;
        if (queued.tries < MAX_TRIES) {
          again.push(queued);
          continue;
        }
        this.#lost += 1;
      } else queued.onDone?.(redisMs, status === 1);
      queued.release();
    }
    return again;
  }

  /** What of a failed call must be sent again. */
  #remain(together: readonly Queued[], error: unknown): Queued[] {
    if (!isReply(error, 'ERR')) return [...together];
    const again: Queued[] = [];
    for (const queued of together) {
      queued.tries += 1;
      if (queued.tries < MAX_TRIES) again.push(queued);
      else {
        this.#lost += 1;
        queued.release();
      }
    }
    return again;
  }

  #waitForRedis(): void {
    this.#isAway = true;
    for (const { release } of this.#queue) release();
    const { retryMs } = this.#options;
    this.#timer ??= setTimeout(() => this.wake(), retryMs * (0.75 + Math.random() / 2)).unref();
  }
}
