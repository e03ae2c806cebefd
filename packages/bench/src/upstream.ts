/**
 * The upstream of a measurement: answers every POST at once, and costs as little as it can, so that the device under test is what the
 * load waits for. A request with `x-bench-chunks` gets a stream of so many pieces of text, one event a write, one write every `x-bench-interval-ms`.
 *
 *     node src/upstream.ts LISTEN_PORT
 *
 * It is no stand-in for OpenAI's rules: it limits nothing and believes everybody, and reads just as much of HTTP/1.1 as the devices speak
 * that are measured: a POST with a `content-length`, one at a time on each connection.
 */
import { createServer, type Socket } from 'node:net';
import { answerHead, chatCompletion, lastChunks, textChunk } from './upstream-answers.ts';

let requests = 0;

/** What a request asks for. */
interface Asked {
  /** 0: no stream. */
  readonly chunks: number;
  readonly intervalMs: number;
  usageAsked: boolean;
}

class Connection {
  readonly #socket: Socket;
  #head = '';
  #asked: Asked | undefined;
  /** Of the request's body. */
  #bytesLeft = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('error', () => {}); // Whoever breaks off needs no answer.
    socket.on('close', () => clearInterval(this.#timer));
  }

  #read(bytes: Buffer): void {
    const body = this.#asked ? bytes : this.#readHead(bytes);
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#bytesLeft -= body.length;
    if (asked.chunks > 0) asked.usageAsked ||= body.includes('"include_usage":true');
    if (this.#bytesLeft > 0) return;
    this.#asked = undefined;
    requests += 1;
    if (asked.chunks > 0) this.#stream(requests, asked);
    else this.#answer(requests);
  }

  /** @returns what came behind it */
  #readHead(bytes: Buffer): Buffer {
    const before = this.#head.length;
    this.#head += bytes.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return bytes.subarray(bytes.length);
    const head = this.#head.slice(0, end);
    this.#head = '';
    this.#bytesLeft = Number(/^content-length: *(\d+)$/im.exec(head)?.[1] ?? 0);
    this.#asked = {
      chunks: Number(/^x-bench-chunks: *(\d+)$/im.exec(head)?.[1] ?? 0),
      intervalMs: Number(/^x-bench-interval-ms: *(\d+)$/im.exec(head)?.[1] ?? 0),
      usageAsked: false,
    };
    return bytes.subarray(end + 4 - before);
  }

  #answer(n: number): void {
    const body = chatCompletion(n);
    this.#socket.write(
      `${answerHead(n, 'application/json')}Content-Length: ${body.length}\r\n\r\n${body}`,
      'latin1',
    );
  }

  #stream(n: number, { chunks, intervalMs, usageAsked }: Asked): void {
    let sent = 0;
    let lastPieces = lastChunks(n, chunks, usageAsked);
    const step = (): void => {
      if (sent < chunks) {
        this.#writeChunk(textChunk(n, sent, usageAsked));
        sent += 1;
        return;
      }
      const [last, ...rest] = lastPieces;
      lastPieces = rest;
      if (last !== undefined) this.#writeChunk(last);
      if (rest.length > 0) return;
      clearInterval(this.#timer);
      this.#socket.write('0\r\n\r\n');
    };
    const head = answerHead(n, 'text/event-stream; charset=utf-8');
    this.#socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`, 'latin1');
    step();
    this.#timer = setInterval(step, intervalMs);
  }

  #writeChunk(text: string): void {
    this.#socket.write(`${text.length.toString(16)}\r\n${text}\r\n`, 'latin1');
  }
}

const server = createServer({ noDelay: true }, (socket) => new Connection(socket));
const [port] = process.argv.slice(2);
server.listen(Number(port), '127.0.0.1', 4_096);
