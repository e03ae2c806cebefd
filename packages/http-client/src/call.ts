import type { Connection } from './connection.ts';
import { requestHead } from './request-head.ts';
import type { AnswerReceiver, HttpRequest, Sending } from './sending.ts';
import type { AtTurnsEnd } from './turns-end.ts';

/** Up to here a copy of the body costs less than a second piece of memory to write. */
const LARGEST_COPIED_BYTES = 16_384;

/** One request, from being asked for until its answer is over. */
export class Call implements Sending, AtTurnsEnd {
  readonly receiver: AnswerReceiver;
  readonly #head: string;
  readonly #body: Uint8Array;
  readonly #place: (call: Call) => void;
  #connection: Connection | undefined;
  #isOver = false;
  #isPaused = false;

  /** @throws TypeError if the request is none */
  constructor(request: HttpRequest, host: string, receiver: AnswerReceiver, place: (call: Call) => void) {
    this.#head = requestHead(request, host, request.body.length);
    this.#body = request.body;
    this.receiver = receiver;
    this.#place = place;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  /** Looks for a connection. */
  atTurnsEnd(): void {
    if (!this.#isOver) this.#place(this);
  }

  /** The bytes to send, in the fewest pieces. */
  bytes(): readonly Uint8Array[] {
    const head = this.#head;
    const body = this.#body;
    if (body.length > LARGEST_COPIED_BYTES) return [Buffer.from(head, 'latin1'), body];
    const all = Buffer.allocUnsafe(head.length + body.length);
    all.write(head, 'latin1');
    all.set(body, head.length);
    return [all];
  }

  /** @returns false if the receiver gave it up at the last moment: nothing of it may go out */
  goesOutOn(connection: Connection): boolean {
    try {
      this.receiver.onSent(this);
    } catch (error) {
      this.fail(thrown(error));
    }
    if (this.#isOver) return false;
    this.#connection = connection;
    return true;
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#connection?.resume();
  }

  abort(reason: Error): void {
    if (this.#isOver) return;
    const connection = this.#connection;
    this.fail(reason);
    connection?.drop();
  }

  /** The answer is whole. */
  end(): void {
    this.#over();
    try {
      this.receiver.onEnd();
    } catch (error) {
      this.#tellFailure(thrown(error));
    }
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#over();
    this.#tellFailure(error);
  }

  /** A receiver that throws even here has a bug, which is the process' business, not that of other calls. */
  #tellFailure(error: Error): void {
    try {
      this.receiver.onFailed(error);
    } catch (mistake) {
      setImmediate(() => {
        throw mistake;
      });
    }
  }

  #over(): void {
    this.#isOver = true;
    this.#connection = undefined;
  }
}

/** What a receiver threw, as an error. */
export function thrown(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
