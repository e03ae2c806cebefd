/** How a call ended, as far as the limits are concerned. */
export type Outcome =
  /** Answered 2xx: certainly let through. */
  | 'admitted'
  /** Answered 429 by Nexus. */
  | 'refused'
  /** Anything else: whether it was charged is not certain, so it counts neither way. */
  | 'other';

/** One call as its caller saw it. Times are milliseconds since the run began, by a clock that never jumps. */
export interface Call {
  /** Where it was sent: a place in the deployment's list of addresses. */
  readonly place: number;
  readonly sentMs: number;
  /** The head of the answer was here (or the connection failed). */
  readonly answeredMs: number;
  /** The last byte of the answer was here, or the caller left. */
  readonly endedMs: number;
  readonly outcome: Outcome;
  /** In words for people, where the outcome is `other`: `HTTP 502`, `ECONNRESET`. */
  readonly why?: string;
  /** Tokens that the answer reported. */
  readonly usage?: TokenCount;
  readonly refusal?: ToldRefusal;
}

export interface TokenCount {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** What a refusal told its client. */
export interface ToldRefusal {
  /** `x-nexus-limit`. */
  readonly limit: string | undefined;
  /** `retry-after-ms`. */
  readonly retryAfterMs: number | undefined;
  /** What is wrong with it, in words; empty if nothing. */
  readonly problems: readonly string[];
}
