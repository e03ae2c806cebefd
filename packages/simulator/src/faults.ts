/**
 * Everything that the simulator can do wrong, with what is seen on the wire. `--help` prints this table.
 * A fault that makes no sense for an answer (usage in a model list) leaves it as it is.
 */
export const FAULTS = {
  'reset-before': 'the connection is reset once the request has been read, before any answer',
  'reset-midstream': 'the connection is reset after some chunks of a stream (half of any other body)',
  'reset-midbody': 'content-length promises more than comes, then the connection ends',
  'stall-before': 'never answers',
  'stall-midstream': 'stops after some chunks and keeps the connection open',
  'stall-heartbeat': 'stops after some chunks and then sends nothing but comments, one every 50 ms',
  'malformed-sse': 'after some chunks: broken JSON, half an event, no [DONE]',
  'no-done': 'a stream ends cleanly without its last event',
  'no-usage': 'no usage at all, asked for or not',
  'usage-twice': 'a smaller, preliminary usage first, then the right one',
  'usage-after-done': 'the usage of a stream comes after [DONE]',
  'usage-negative': 'negative numbers of tokens',
  'usage-nan': 'NaN for numbers of tokens, which is no JSON',
  'usage-infinite': '1e999 for numbers of tokens, which JSON reads as infinity',
  'usage-text': 'numbers of tokens as strings',
  'error-429': "OpenAI's 429 on tokens per minute, with retry-after and x-should-retry",
  'error-429-quota': "OpenAI's 429 insufficient_quota, without retry-after",
  'error-500': "OpenAI's 500",
  'error-503': "OpenAI's 503 server_is_overloaded, with retry-after",
  'error-529': "Anthropic's 529 overloaded_error",
  'error-midstream': 'after some chunks an error event, then the stream ends',
  gzip: 'content-encoding: gzip, asked for or not',
  'gzip-bomb': '32 MB of JSON in 32 KB of gzip',
  huge: 'an answer of 20 MB; a stream has all of it in one event',
  slow: 'one byte every 2 ms',
  'half-events': 'the body is cut at odd places: within events, within characters',
  'crlf-events': 'events with CRLF line ends',
  heartbeat: 'a comment line before each event',
  'close-delimited': 'no content-length and no chunks: the body ends with the connection',
  'status-000': 'status line `HTTP/1.1 000 `',
  'status-101': 'switches protocols although nobody asked',
  'bad-status-line': 'something that is no HTTP',
  'control-in-reason': 'a control character in the reason phrase',
  'bad-header-bytes': 'control characters and raw bytes in a header value',
  'trailer-with-length': 'a Trailer field beside content-length',
  'length-and-chunked': 'content-length beside transfer-encoding: chunked',
  'bad-chunk-size': 'a chunk size that is no number',
  'informational-flood': '1,000 answers `103` before the real one',
  'giant-headers': 'a header of 256 KB',
  'many-headers': '3,000 header fields',
  'redirect-302': 'a redirect to another address',
  'echo-key': 'an error whose text quotes the whole credential',
  'empty-body': '200 with no body',
  'wrong-content-type': '200 with an HTML page',
} as const;

export type FaultName = keyof typeof FAULTS;

/** A fault with its particulars; a bare name takes the defaults. */
export interface FaultDetail {
  readonly name: FaultName;
  /** For faults in the middle: chunks with text that go out first. Default 3. */
  readonly afterChunks?: number;
  /** For error-429 and error-503: the wait they tell. Default 1,000. */
  readonly retryAfterMs?: number;
  /** For redirect-302. Default an address where nobody listens. */
  readonly location?: string;
}

export type Fault = FaultName | FaultDetail;

export const DEFAULT_AFTER_CHUNKS = 3;

export function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name);
}

/** The faults that requests to come will meet. A request's own `x-simulate-fault` goes before them and uses none up. */
export interface FaultPlan {
  /** The next `times` (default 1) requests meet it, after those planned before. */
  next(fault: Fault, times?: number): void;
  /** Every request for which nothing else is planned meets it. */
  always(fault: Fault): void;
  /** From now on nothing fails. */
  clear(): void;
}

/** A fault plan and its consumer. */
export class FaultQueue implements FaultPlan {
  #coming: FaultDetail[] = [];
  #always: FaultDetail | undefined;

  next(fault: Fault, times = 1): void {
    for (let i = 0; i < times; i++) this.#coming.push(detail(fault));
  }

  always(fault: Fault): void {
    this.#always = detail(fault);
  }

  clear(): void {
    this.#coming = [];
    this.#always = undefined;
  }

  /** The fault of the request that has just come. */
  take(): FaultDetail | undefined {
    return this.#coming.length > 0 ? this.#coming.shift() : this.#always;
  }
}

function detail(fault: Fault): FaultDetail {
  const full = typeof fault === 'string' ? { name: fault } : fault;
  if (!isFaultName(full.name)) throw new TypeError(`There is no fault ${JSON.stringify(full.name)}.`);
  return full;
}
