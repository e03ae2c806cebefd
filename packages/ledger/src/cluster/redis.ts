import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A connection to Redis, as ioredis has it. */
export interface RedisCall {
  call(command: string, args: (string | number)[]): Promise<unknown>;
}

/** The ledger's keys. They share the hash tag of the limiter's keys: one script writes both. */
export interface LedgerKeys {
  /** The stream of records that are on their way. */
  readonly stream: string;
  /** How many records had no room in it. */
  readonly lost: string;
  /** The sums of a day, where the instances keep sums. */
  readonly day: (day: string) => string;
}

export function ledgerKeys(keyPrefix: string): LedgerKeys {
  const prefix = `{${keyPrefix}}:ledger`;
  return { stream: prefix, lost: `${prefix}:lost`, day: (day) => `${prefix}:day:${day}` };
}

/**
 * The most records that may be on their way: some 80 MB. The limiter's script puts no more into the stream, and counts what it leaves out.
 */
export const MOST_ON_THEIR_WAY = 200_000;

/** The group in which the instances read the stream, each record one of them. */
export const GROUP = 'ledger';

/** A Lua script that Redis finds again by its digest. */
export class Script {
  readonly #lua: string;
  readonly #sha: string;

  constructor(name: 'acknowledge' | 'roll-up' | 'forget-consumers') {
    this.#lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
    this.#sha = createHash('sha1').update(this.#lua).digest('hex');
  }

  async run(redis: RedisCall, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await redis.call('EVALSHA', [this.#sha, keys.length, ...keys, ...args]);
    } catch (error) {
      if (!isReply(error, 'NOSCRIPT')) throw error;
      return redis.call('EVAL', [this.#lua, keys.length, ...keys, ...args]);
    }
  }
}

/** Whether Redis itself answered with an error of that kind. */
export function isReply(error: unknown, kind: string): boolean {
  return error instanceof Error && error.message.startsWith(kind);
}
