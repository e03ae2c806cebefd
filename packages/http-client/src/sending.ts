import type { AnswerHead } from './answer-head.ts';

/** A request that is sent as it stands. */
export interface HttpRequest {
  readonly method: 'POST';
  /** With its query; visible ASCII alone. */
  readonly path: string;
  /** Names and values by turns, without `Host`, `Connection`, `Content-Length` and `Transfer-Encoding`, which the client sets. */
  readonly fields: readonly string[];
  readonly body: Uint8Array;
}

/** A request under way, in the hands of whoever receives its answer. */
export interface Sending {
  /** Whether the answer is to wait. */
  readonly paused: boolean;
  /** Reads no more of the answer until `resume`; what was read already still comes. */
  pause(): void;
  resume(): void;
  /** Ends the call; the receiver is told of `reason` as its failure. Does nothing once the call is over. */
  abort(reason: Error): void;
}

/** Whom the answer to a request is given to, as it comes. Exactly one of `onEnd` and `onFailed` is the last that it hears. */
export interface AnswerReceiver {
  /** The request goes out now, on a connected socket: from here on the server may work on it. */
  onSent(sending: Sending): void;
  /** The head of the final answer; those before it (1xx) are passed over. */
  onHead(sending: Sending, head: AnswerHead): void;
  /** A piece of its body, without the marks of its transfer. The bytes are the receiver's. */
  onData(sending: Sending, chunk: Buffer): void;
  /** The answer is whole. */
  onEnd(): void;
  /** There will be no more of it. A ClientError, what the system says of the socket, or the reason of an `abort`. */
  onFailed(error: Error): void;
}
