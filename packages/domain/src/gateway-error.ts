/** One kind of error that Nexus answers by itself. */
interface ErrorKind {
  readonly status: number;
  /** OpenAI's `error.type`. */
  readonly type: string;
  /** What the client reads, unless the error says something more exact. */
  readonly sentence: string;
  /** The value of `x-should-retry`, where the SDKs must be told. */
  readonly shouldRetry?: boolean;
}

/**
 * Every error that ends a request, by its `error.code`. Refusals by a limit are not here: they are decisions
 * (`decision.ts`), answered as `rate_limit_exceeded` or `insufficient_quota`. docs/errors.md is held equal to this table by a test.
 */
export const ERROR_KINDS = {
  bad_framing: { status: 400, type: 'invalid_request_error', sentence: 'The request is framed ambiguously.' },
  bad_path: {
    status: 400,
    type: 'invalid_request_error',
    sentence: 'The path holds characters that Nexus does not forward.',
  },
  invalid_body: {
    status: 400,
    type: 'invalid_request_error',
    sentence: 'We could not parse the JSON body of your request.',
  },
  model_not_priced: {
    status: 400,
    type: 'invalid_request_error',
    sentence:
      "The model has no known price, so its budget can't be kept. Tell the gateway's operator to add it to `prices`.",
  },
  invalid_customer: {
    status: 400,
    type: 'invalid_request_error',
    sentence: "A customer's name is 1 to 128 visible ASCII characters.",
  },
  invalid_feature: {
    status: 400,
    type: 'invalid_request_error',
    sentence: 'The header x-nexus-feature is 1 to 64 letters, digits, `.`, `_` or `-`.',
  },
  invalid_tier: {
    status: 400,
    type: 'invalid_request_error',
    sentence: 'The header x-nexus-tier names no tier that this key may give its customers.',
  },
  invalid_api_key: { status: 401, type: 'invalid_request_error', sentence: 'Incorrect API key provided.' },
  missing_api_key: {
    status: 401,
    type: 'invalid_request_error',
    sentence: "You didn't provide an API key. Send it as `Authorization: Bearer YOUR_KEY`.",
  },
  model_not_found: {
    status: 404,
    type: 'invalid_request_error',
    sentence: 'The model does not exist or you do not have access to it.',
  },
  not_found: { status: 404, type: 'invalid_request_error', sentence: 'There is nothing here.' },
  request_timeout: {
    status: 408,
    type: 'invalid_request_error',
    sentence: 'The request did not arrive in time.',
  },
  body_too_large: { status: 413, type: 'invalid_request_error', sentence: 'The request body is too large.' },
  unsupported_encoding: {
    status: 415,
    type: 'invalid_request_error',
    sentence: 'A request body with Content-Encoding cannot be metered. Send it uncompressed.',
  },
  headers_too_large: {
    status: 431,
    type: 'invalid_request_error',
    sentence: 'The request has too many or too large header fields.',
  },
  internal_error: { status: 500, type: 'server_error', sentence: 'Nexus failed on this request.' },
  upstream_unreachable: {
    status: 502,
    type: 'server_error',
    sentence: 'The upstream could not be reached.',
  },
  upstream_failed: {
    status: 502,
    type: 'server_error',
    sentence: 'The upstream ended the connection before it answered.',
    shouldRetry: false,
  },
  upstream_invalid: {
    status: 502,
    type: 'server_error',
    sentence: 'The upstream answered something that is not valid HTTP.',
    shouldRetry: false,
  },
  upstream_refused_key: {
    status: 502,
    type: 'server_error',
    sentence: "The upstream refused the gateway's own credentials. Tell the gateway's operator.",
    shouldRetry: false,
  },
  upstream_unavailable: {
    status: 503,
    type: 'server_error',
    sentence: 'The upstream has failed too often and is left alone for a while.',
  },
  limiter_unavailable: {
    status: 503,
    type: 'server_error',
    sentence: 'The limits cannot be checked right now.',
  },
  ledger_unavailable: {
    status: 503,
    type: 'server_error',
    sentence: 'What requests cost cannot be recorded right now.',
  },
  draining: { status: 503, type: 'server_error', sentence: 'This instance is shutting down.' },
  upstream_timeout: {
    status: 504,
    type: 'server_error',
    sentence: 'The upstream did not answer in time.',
    shouldRetry: false,
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

/**
 * Ends a request with an answer of Nexus' own. Its message goes to the client: it never holds a secret, an upstream
 * address or a part of a body. What happened inside stands in `cause`, for the log alone.
 */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  /** When to try again, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, options: { message?: string; cause?: unknown; retryAfterMs?: number } = {}) {
    super(options.message ?? ERROR_KINDS[code].sentence, { cause: options.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  get status(): number {
    return ERROR_KINDS[this.code].status;
  }

  get type(): string {
    return ERROR_KINDS[this.code].type;
  }

  /** What the client's SDK is told about trying again; undefined: nothing. */
  get shouldRetry(): boolean | undefined {
    const kind: ErrorKind = ERROR_KINDS[this.code];
    return kind.shouldRetry;
  }
}
