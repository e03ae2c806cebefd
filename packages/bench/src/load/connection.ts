import { connect, type Socket } from 'node:net';
import { type Answer, AnswerReader } from './answer-reader.ts';

/** One keep-alive connection to the device under test: one request at a time, written as the bytes that it is given. */
export class Connection {
  readonly #socket: Socket;
  readonly #reader: AnswerReader;
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#reader = new AnswerReader((answer) => this.#whole(answer));
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('The connection was closed.')));
  }

  /** Rejects if nobody listens. */
  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  /** The answer that is under way. */
  get current(): Readonly<Answer> {
    return this.#reader.current;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Rejects if the connection ends before the answer. */
  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed || this.#waiting) {
        reject(new Error('The connection takes no request.'));
        return;
      }
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #whole(answer: Answer): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!answer.keepsAlive) this.close();
    waiting?.resolve(answer);
  }

  #end(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.close();
    waiting?.reject(error);
  }
}
