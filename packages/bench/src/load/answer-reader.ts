/** An answer as far as it came. */
export interface Answer {
  status: number;
  /** Server-sent events: blank lines in the body. */
  events: number;
  /** Bytes of the body. */
  bytes: number;
  /** How many reads brought the body: fewer than its events if some came together. */
  reads: number;
  /** Whether the connection takes another request. */
  keepsAlive: boolean;
}

const CR = 13;
const LF = 10;

/** Where the reader is in an answer. `size` to `after` are the parts of a chunk (RFC 9112 §7.1). */
type Place = 'head' | 'body' | 'size' | 'data' | 'after' | 'trailer';

/**
 * Reads the answers of one keep-alive connection, one after another: just enough of HTTP/1.1 to know where an answer ends,
 * cheap enough not to be what is measured. Answers without a length or chunks are not understood.
 */
export class AnswerReader {
  #place: Place = 'head';
  #head = '';
  #line = '';
  /** Bytes still to come of the body, or of the chunk. */
  #left = 0;
  #endsWithLf = false;
  #readCounted = false;
  #answer = emptyAnswer();
  readonly #onWhole: (answer: Answer) => void;

  /** @param onWhole called once an answer is whole */
  constructor(onWhole: (answer: Answer) => void) {
    this.#onWhole = onWhole;
  }

  /** The answer that is under way. */
  get current(): Readonly<Answer> {
    return this.#answer;
  }

  /** @throws Error on what is no answer */
  push(bytes: Buffer): void {
    this.#readCounted = false;
    let at = 0;
    while (at < bytes.length) at = this.#step(bytes, at);
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#place) {
      case 'head':
        return this.#readHead(bytes, at);
      case 'body':
      case 'data':
        return this.#readData(bytes, at);
      case 'size':
      case 'after':
      case 'trailer':
        return this.#readLine(bytes, at);
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const before = this.#head.length;
    this.#head += bytes.toString('latin1', at);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return bytes.length;
    const head = this.#head.slice(0, end);
    this.#head = '';
    const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
    if (status === undefined) throw new Error('This is no HTTP/1.1 answer.');
    this.#answer.status = Number(status);
    this.#answer.keepsAlive = !/^connection: close$/im.test(head);
    const [, length] = /^content-length: (\d+)$/im.exec(head) ?? [];
    const next = at + end + 4 - before;
    if (length !== undefined) {
      this.#left = Number(length);
      this.#place = 'body';
      if (this.#left === 0) this.#finish(next, bytes.length);
    } else if (/^transfer-encoding: chunked$/im.test(head)) {
      this.#place = 'size';
    } else {
      throw new Error(`An answer ${status} has neither a length nor chunks.`);
    }
    return next;
  }

  #readData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#countEvents(bytes.subarray(at, end));
    this.#answer.bytes += end - at;
    if (!this.#readCounted) this.#answer.reads += 1;
    this.#readCounted = true;
    this.#left -= end - at;
    if (this.#left > 0) return end;
    if (this.#place === 'data') this.#place = 'after';
    else this.#finish(end, bytes.length);
    return end;
  }

  #countEvents(data: Buffer): void {
    let from = 0;
    if (this.#endsWithLf && data[0] === LF) {
      this.#answer.events += 1;
      from = 1;
    }
    for (let at = data.indexOf('\n\n', from); at >= 0; at = data.indexOf('\n\n', at + 2)) {
      this.#answer.events += 1;
      from = at + 2;
    }
    this.#endsWithLf = data.length > from && data[data.length - 1] === LF;
  }

  #readLine(bytes: Buffer, at: number): number {
    const lf = bytes.indexOf(LF, at);
    const end = lf < 0 ? bytes.length : lf;
    this.#line += bytes.toString('latin1', at, bytes[end - 1] === CR && end > at ? end - 1 : end);
    if (lf < 0) return end;
    const line = this.#line;
    this.#line = '';
    if (this.#place === 'size') {
      this.#left = Number.parseInt(line, 16);
      if (Number.isNaN(this.#left)) throw new Error('This is no chunk.');
      this.#place = this.#left === 0 ? 'trailer' : 'data';
    } else if (this.#place === 'after') {
      this.#place = 'size';
    } else if (line === '') {
      this.#finish(lf + 1, bytes.length);
    }
    return lf + 1;
  }

  #finish(at: number, length: number): void {
    const answer = this.#answer;
    this.#answer = emptyAnswer();
    this.#place = 'head';
    this.#endsWithLf = false;
    // Nothing is asked before the last answer is whole.
    if (at < length) throw new Error('More came than was asked for.');
    this.#onWhole(answer);
  }
}

function emptyAnswer(): Answer {
  return { status: 0, events: 0, bytes: 0, reads: 0, keepsAlive: true };
}
