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
  readonly retryMs: number;
  readonly maxQueued: number;
}

const MAX_TOGETHER = 64;
/** A script that fails on the same entry so often fails always: the entry would bar the way for all after it. */
const MAX_TRIES = 5;

/**
 * Tells Redis how requests ended, off their path: many in one call, in order, again and again until Redis has answered. The scripts know
 * a repetition by the request's marker. When more wait than `maxQueued`, the oldest are lost: their leases end by themselves.
 */
export class EndingQueue {
  readonly #options: EndingQueueOptions;
  #queue: Queued[] = [];
  #isUnderWay = false;
  #timer: NodeJS.Timeout | undefined;
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
      if (this.#queue.length > this.#options.maxQueued) {
        this.#queue.shift()?.release();
        this.#lost += 1;
      }
      if (this.#isAway) resolve();
      else this.#next();
    });
  }

  /** Tries now what waits for Redis to come back. */
  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isAway = false;
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
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
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
    // An entry that failed before goes alone: perhaps it alone is at fault.
    const isSuspect = (this.#queue[0]?.tries ?? 0) > 0;
    const together = this.#queue.splice(0, isSuspect ? 1 : MAX_TOGETHER);
    this.#isUnderWay = true;
    void this.#send(together);
  }

  async #send(together: Queued[]): Promise<void> {
    const { call, times, time, records } = this.#options;
    let again: Queued[] = [];
    let hasFailed = false;
    try {
      const message = new CallMessage(times, together.length, records);
      for (const ending of together) message.addEnding(ending, ending.aroundMs ?? time.nowMs());
      const reader = new AnswerReader(await call.send(message.keys, message.end(), message.records));
      again = this.#tell(together, reader);
    } catch (error) {
      hasFailed = true;
      again = this.#remain(together, error);
    }
    this.#isUnderWay = false;
    if (this.#isClosed) {
      this.#lost += again.length;
      for (const { release } of again) release();
      return;
    }
    if (again.length > 0) this.#queue = [...again, ...this.#queue];
    if (hasFailed && again.length > 0) this.#waitForRedis();
    else this.#next();
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
