import { type Answer, AnswerReader, OUT_OF_BOUNDS } from './answer.ts';
import { type Asking, CallMessage, type LeaseTimes } from './asking.ts';
import type { Passengers } from './ending-queue.ts';
import { RedisAwayError } from './redis-away-error.ts';
import type { RedisTime } from './redis-time.ts';
import { isReply } from './scripts.ts';

/** Sends one call of admit.lua, or of together.lua where ends go with it. `isReady`: whether it can be sent at all. */
export interface AdmitCall {
  isReady(): boolean;
  send(keys: readonly string[], message: Buffer, ends: Passengers | undefined): Promise<unknown>;
}

/** Whoever has ends that an admission's call may take along. */
export interface Station {
  board(): Passengers | undefined;
}

interface Waiting {
  readonly markerKey: string | undefined;
  readonly asking: Asking;
  readonly longestMs: number;
  /** Round which time the calendar's bounds are sent; undefined: Redis' time. */
  aroundMs: number | undefined;
  tries: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: RedisAwayError) => void;
}

/** More would keep Redis busy for longer than a millisecond or two, in which everybody else waits. */
const MAX_TOGETHER = 64;
/** Calendar's bounds are wrong at most once for each of: this clock, Redis' clock, a record that is ahead of it. */
const MAX_TRIES = 3;

/**
 * Brings admissions to Redis. One goes at once; those that come while a call is under way go together in the next, in the order
 * of their arrival, each all-or-none by itself.
 */
export class AdmissionCalls {
  readonly #call: AdmitCall;
  readonly #station: Station;
  readonly #times: LeaseTimes;
  readonly #time: RedisTime;
  #waiting: Waiting[] = [];
  #isUnderWay = false;

  constructor(call: AdmitCall, station: Station, times: LeaseTimes, time: RedisTime) {
    this.#call = call;
    this.#station = station;
    this.#times = times;
    this.#time = time;
  }

  /**
   * Asks Redis once for a request that may wait for its turn for `longestMs`. Without a marker's key it only looks.
   * @throws RedisAwayError
   */
  ask(markerKey: string | undefined, asking: Asking, longestMs = 0): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ markerKey, asking, longestMs, aroundMs: undefined, tries: 0, resolve, reject });
      this.#next(markerKey === undefined);
    });
  }

  /**
   * Those that come in one step go together: the gateway reads the bodies of all that a turn of the event loop brought in one. Waiting for
   * the turn's end once more saves no call and costs another turn (3 % of a request). `isLook`: who looks for what Redis has lost must
   * see it before what ends now is added to it.
   */
  #next(isLook = false): void {
    if (this.#isUnderWay || this.#waiting.length === 0) return;
    this.#isUnderWay = true;
    if (isLook) this.#go();
    else process.nextTick(() => this.#go());
  }

  #go(): void {
    this.#isUnderWay = false;
    if (!this.#call.isReady()) {
      this.#rejectWaiting(new Error('There is no connection to Redis'));
      return;
    }
    const together = this.#waiting.slice(0, MAX_TOGETHER);
    this.#waiting = this.#waiting.slice(MAX_TOGETHER);
    this.#isUnderWay = true;
    void this.#send(together);
  }

  async #send(together: readonly Waiting[]): Promise<void> {
    const looks = together.some(({ markerKey }) => markerKey === undefined);
    const ends = looks ? undefined : this.#station.board();
    try {
      const message = new CallMessage(this.#times, together.length, { first: ends?.message });
      for (const { markerKey, asking, longestMs, aroundMs } of together)
        message.addAdmission(markerKey, asking, longestMs, aroundMs ?? this.#time.nowMs());
      const reader = new AnswerReader(await this.#call.send(message.keys, message.end(), ends));
      ends?.arrive(reader);
      this.#tell(together, reader);
      this.#isUnderWay = false;
    } catch (cause) {
      this.#isUnderWay = false;
      ends?.strand(cause);
      // What waited for this call has waited as long: it can't wait for another that fails.
      this.#rejectWaiting(cause);
      const error = new RedisAwayError(cause, mayHaveRun(cause));
      for (const { reject } of together) reject(error);
    }
    this.#next();
  }

  #tell(together: readonly Waiting[], reader: AnswerReader): void {
    const nowMs = reader.next();
    this.#time.learn(nowMs);
    const answers = together.map(({ asking }) => reader.nextAnswer(asking, nowMs));
    for (const [index, waiting] of together.entries()) {
      const answer = answers[index];
      if (!answer) continue;
      if (answer.status !== OUT_OF_BOUNDS) waiting.resolve(answer);
      else if (waiting.tries >= MAX_TRIES)
        waiting.reject(new RedisAwayError(new Error('The clocks of the records are too far apart'), false));
      else {
        waiting.aroundMs = answer.strangeMs;
        waiting.tries += 1;
        this.#waiting.push(waiting);
      }
    }
  }

  #rejectWaiting(cause: unknown): void {
    const error = new RedisAwayError(cause, false);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(error);
  }
}

/** Redis' own refusals come before a script runs, but `ERR`: that may be a script that stopped half-way. */
function mayHaveRun(cause: unknown): boolean {
  return !isReply(cause) || isReply(cause, 'ERR');
}
