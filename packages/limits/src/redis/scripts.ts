import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Cluster, type Redis, ReplyError } from 'ioredis';

/** A Lua script, and the name by which Redis finds it again. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export interface LimiterScripts {
  readonly admit: Script;
  readonly finish: Script;
  readonly beat: Script;
}

/** One Redis, alone or found by Sentinel, or a cluster. */
export type RedisClient = Redis | Cluster;

/** Takes the place of clock.lua where a test sets the time. */
const HAND_CLOCK = 'local now = tonumber(ARGV[5])\n';

/**
 * The limiter's scripts. `time`: `redis` reads Redis' clock; `argument`, for tests alone, is another script that takes the time (ms) as
 * its fifth argument.
 */
export function limiterScripts(time: 'redis' | 'argument'): LimiterScripts {
  const clock = time === 'redis' ? lua('clock') : HAND_CLOCK;
  const record = lua('starts') + lua('record');
  return {
    admit: script(clock + record + lua('admit')),
    finish: script(clock + record + lua('finish')),
    beat: script(clock + lua('beat')),
  };
}

/** Runs a script in one round trip; only a Redis that doesn't know it yet needs a second. */
export async function runScript(
  client: RedisClient,
  { sha, lua: text }: Script,
  keys: readonly string[],
  args: readonly (string | Buffer | number)[],
): Promise<unknown> {
  try {
    return await client.callBuffer('evalsha', [sha, keys.length, ...keys, ...args]);
  } catch (error) {
    if (!isReply(error, 'NOSCRIPT')) throw error;
    return client.callBuffer('eval', [text, keys.length, ...keys, ...args]);
  }
}

/** Whether Redis itself answered with an error, of that kind (`READONLY`, `OOM` …) if one is named. */
export function isReply(error: unknown, kind?: string): boolean {
  if (!(error instanceof Error && error instanceof ReplyError)) return false;
  return kind === undefined || error.message.startsWith(kind);
}

function script(text: string): Script {
  return { lua: text, sha: createHash('sha1').update(text).digest('hex') };
}

function lua(name: 'clock' | 'starts' | 'record' | 'admit' | 'finish' | 'beat'): string {
  return readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');
}
