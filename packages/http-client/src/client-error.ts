/** What can go wrong with a call besides what the system says of its socket. */
export type ClientErrorCode =
  /** No connection within the time for that. */
  | 'connect_timeout'
  /** No head of an answer within the time for that. */
  | 'head_timeout'
  /** What came is no answer in HTTP/1.1. */
  | 'invalid_answer'
  /** The connection ended before the answer did. */
  | 'broken_off'
  /** The client was closed. */
  | 'client_closed';

/** A call that failed on its way, or in the midst of its answer. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string) {
    super(message);
    this.name = 'ClientError';
    this.code = code;
  }
}
