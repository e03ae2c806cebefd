/**
 * Redis did not decide: it is unreachable, too slow, or refuses to work. What happened stands in `cause`. If the call had been sent, it
 * may still run; the limiter cancels what it takes then.
 */
export class RedisAwayError extends Error {
  /** Whether the call may have run, or may run yet. */
  readonly mayHaveRun: boolean;

  constructor(cause: unknown, mayHaveRun: boolean) {
    super('Redis cannot decide right now', { cause });
    this.name = 'RedisAwayError';
    this.mayHaveRun = mayHaveRun;
  }
}
