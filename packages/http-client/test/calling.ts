import type { Socket } from 'node:net';
import { type ChunkingServer, chunkingServer, receiveRequest } from '@nexus/testkit';
import { onTestFinished } from 'vitest';
import {
  type AnswerHead,
  type AnswerReceiver,
  HttpClient,
  type HttpClientOptions,
  type HttpRequest,
  type Sending,
} from '../src/index.ts';

/** What a test does at a moment of its call. */
export interface Moments {
  readonly sent?: (sending: Sending) => void;
  readonly head?: (sending: Sending, head: AnswerHead) => void;
  readonly data?: (sending: Sending, chunk: Buffer) => void;
  readonly end?: () => void;
}

/** Receives one answer and remembers what it heard, in order. */
export class Received implements AnswerReceiver {
  readonly heard: string[] = [];
  readonly over: Promise<void>;
  head: AnswerHead | undefined;
  error: Error | undefined;
  sending: Sending | undefined;
  readonly #chunks: Buffer[] = [];
  readonly #moments: Moments;
  #isOver: () => void = () => {};

  constructor(moments: Moments = {}) {
    this.#moments = moments;
    this.over = new Promise((resolve) => {
      this.#isOver = resolve;
    });
  }

  /** The body so far, as latin1. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  /** `code` of the error. */
  get code(): unknown {
    return this.error && 'code' in this.error ? this.error.code : undefined;
  }

  onSent(sending: Sending): void {
    this.heard.push('sent');
    this.sending = sending;
    this.#moments.sent?.(sending);
  }

  onHead(sending: Sending, head: AnswerHead): void {
    this.heard.push('head');
    this.head = head;
    this.#moments.head?.(sending, head);
  }

  onData(sending: Sending, chunk: Buffer): void {
    if (this.heard.at(-1) !== 'data') this.heard.push('data');
    this.#chunks.push(chunk);
    this.#moments.data?.(sending, chunk);
  }

  onEnd(): void {
    this.heard.push('end');
    this.#isOver();
    this.#moments.end?.();
  }

  onFailed(error: Error): void {
    this.heard.push('failed');
    this.error = error;
    this.#isOver();
  }
}

/** A client that is closed at the end of the test. */
export function clientOf(origin: string, options: Partial<HttpClientOptions> = {}): HttpClient {
  const client = new HttpClient({ origin, connectMs: 5_000, headMs: 5_000, ...options });
  onTestFinished(() => client.close());
  return client;
}

export function post(parts: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'POST', path: '/v1/x', fields: [], body: Buffer.from('{}'), ...parts };
}

/** Sends a call. */
export function send(client: HttpClient, moments?: Moments, request: HttpRequest = post()): Received {
  const received = new Received(moments);
  client.send(request, received);
  return received;
}

/** Sends a call and waits until it is over. */
export async function called(
  client: HttpClient,
  moments?: Moments,
  request?: HttpRequest,
): Promise<Received> {
  const received = send(client, moments, request);
  await received.over;
  return received;
}

/** A server that answers each request on a connection with the next of these bytes (latin1), and then lets `after` do what it likes. */
export function answering(
  answers: readonly string[],
  after: (socket: Socket) => void = () => {},
): Promise<ChunkingServer> {
  return chunkingServer(async (socket) => {
    socket.on('error', () => {});
    for (const answer of answers) {
      socket.resume();
      const request = await receiveRequest(socket).catch(() => undefined);
      if (request === undefined) return;
      socket.write(Buffer.from(answer, 'latin1'));
    }
    after(socket);
    socket.resume();
  });
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
