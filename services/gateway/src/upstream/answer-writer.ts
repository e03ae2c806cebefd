import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { type AtTurnsEnd, waitForTurnsEnd } from '@nexus/http-client';

interface Head {
  readonly status: number;
  readonly reason: string;
  readonly headers: OutgoingHttpHeader[];
}

/** Up to here a body costs less as a text (worth 4 µs an answer). */
const MOST_BYTES_AS_TEXT = 16_384;

/**
 * Writes an answer to the client: as few writes as the answer allows, as many as its chunks ask for.
 *
 * What comes in one turn of the event loop leaves at the turn's end, in one write, together with the other answers of the turn: an answer
 * that is whole by then with its length, a stream's head and each of its chunks as they came.
 */
export class AnswerWriter implements AtTurnsEnd {
  readonly #res: ServerResponse;
  #head: Head | undefined;
  #held: Uint8Array[] = [];
  /** Whether nothing is to follow on what is held. */
  #isWhole = false;
  #isWaiting = false;
  #bytes = 0;
  readonly #onInvalid: (error: unknown) => void;

  /** @param onInvalid called if the head can't be written because it isn't valid HTTP; nothing was written then */
  constructor(res: ServerResponse, onInvalid: (error: unknown) => void) {
    this.#res = res;
    this.#onInvalid = onInvalid;
  }

  /** Body bytes handed over so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the head went out or is about to: from here on the answer can only go on or break off. */
  get started(): boolean {
    return this.#head !== undefined || this.#res.headersSent;
  }

  /** Whether the head has not gone out yet, so that it can be added to. */
  get holdsHead(): boolean {
    return this.#head !== undefined;
  }

  /** Adds a field to the head, while it is held. */
  field(name: string, value: string): void {
    this.#head?.headers.push(name, value);
  }

  head(status: number, reason: string, headers: OutgoingHttpHeader[]): void {
    this.#head = { status, reason, headers };
    this.#res.statusCode = status;
    this.#wait();
  }

  /** @returns whether more may come at once; if not, wait for `drain` */
  chunk(bytes: Uint8Array): boolean {
    this.#bytes += bytes.length;
    this.#held.push(bytes);
    this.#wait();
    return !this.#res.writableNeedDrain;
  }

  /** The answer is whole. */
  end(): void {
    this.#isWhole = true;
    this.#wait();
  }

  /** The answer will never be whole. What came goes out, and then the connection breaks. */
  abandon(): void {
    this.atTurnsEnd();
    const { socket } = this.#res;
    if (socket) socket.destroySoon();
    else this.#res.destroy();
  }

  /** Writes what is held. */
  atTurnsEnd(): void {
    this.#isWaiting = false;
    const res = this.#res;
    if (res.destroyed) return;
    const held = this.#held;
    const body = held.length > 1 ? Buffer.concat(held) : held[0];
    this.#held = [];
    const hasHead = this.#head !== undefined;
    if (!this.#writeHead()) return;
    if (this.#isWhole) this.#end(body);
    else if (body !== undefined) res.write(body);
    else if (hasHead) res.flushHeaders();
  }

  #end(body: Uint8Array | undefined): void {
    if (body === undefined || body.length > MOST_BYTES_AS_TEXT) this.#res.end(body);
    // One text of the head and the bytes of a body: Node writes it as it stands, where it would gather two pieces first.
    else this.#res.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1');
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    waitForTurnsEnd(this);
  }

  /** Writes the head, if it is still held. */
  #writeHead(): boolean {
    const head = this.#head;
    if (head === undefined) return true;
    this.#head = undefined;
    if (this.#isWhole && !hasLength(head.headers) && mayHaveBody(this.#res, head.status))
      head.headers.push('content-length', String(this.#bytes));
    try {
      this.#res.writeHead(head.status, head.reason, head.headers);
      return true;
    } catch (error) {
      this.#onInvalid(error);
      return false;
    }
  }
}

function hasLength(headers: readonly OutgoingHttpHeader[]): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'content-length') return true;
  return false;
}

/** RFC 9110 §6.4.1: answers to HEAD, and 1xx, 204 and 304, have no body. */
function mayHaveBody(res: ServerResponse, status: number): boolean {
  return res.req.method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304;
}
