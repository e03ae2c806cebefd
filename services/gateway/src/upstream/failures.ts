import { type ErrorCode, GatewayError } from '@nexus/domain';

/** Why Nexus itself ended a call upstream. */
export class CallEnded extends Error {
  readonly why: 'client left' | 'idle' | 'upstream invalid' | 'declined';

  constructor(why: CallEnded['why'], options?: { cause?: unknown }) {
    super(why, options);
    this.name = 'CallEnded';
    this.why = why;
  }
}

/** An answer was given up for another attempt: nothing of it has reached the client. */
export class Declined extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the answer ${status} was given up for another attempt`);
    this.name = 'Declined';
    this.status = status;
  }
}

const TIMEOUTS = new Set(['head_timeout', 'ETIMEDOUT']);
/** What our client and Node's parser say of bytes that are not HTTP. */
const NOT_HTTP = /^HPE_|^invalid_answer$/;

/** What the client is told of an upstream that failed before its answer began. */
export function upstreamFailure(cause: unknown, sent: boolean): GatewayError {
  return new GatewayError(failureCode(cause, sent), { cause });
}

function failureCode(cause: unknown, sent: boolean): ErrorCode {
  if (!sent) return 'upstream_unreachable';
  const code = codeOf(cause);
  if (TIMEOUTS.has(code)) return 'upstream_timeout';
  return NOT_HTTP.test(code) || cause instanceof CallEnded ? 'upstream_invalid' : 'upstream_failed';
}

/** The `code` of an error, or an empty text. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
