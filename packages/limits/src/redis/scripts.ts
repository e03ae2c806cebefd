import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Cluster, type Redis, ReplyError } from 'ioredis';
import { inTime } from './answer-in-time.ts';
import { type ScriptArgument, ScriptCommand } from './script-command.ts';

/** A Lua script, and the name by which Redis finds it again. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export interface LimiterScripts {
  readonly admit: Script;
  readonly finish: Script;
  /** Ends, then admissions: what ends makes room for what begins. */
  readonly together: Script;
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
  const message = clock + lua('message');
  const record = lua('starts') + lua('record');
  const finish = asFunction('finished', lua('finish'));
  const admit = asFunction('admitted', lua('admit'));
  return {
    admit: script(`${message}${lua('alone')}${record}${admit}local told = admitted()\nsave()\nreturn told\n`),
    finish: script(`${message}${record}${finish}local told = finished()\nsave()\nreturn told\n`),
    together: script(`${message}${record}${finish}${admit}${lua('together')}`),
    beat: script(clock + lua('beat')),
  };
}

/** Where scripts run, and how long their answers may take. */
export interface ScriptRunner {
  readonly client: RedisClient;
  readonly withinMs: number;
}

/** Runs a script in one round trip; only a Redis that doesn't know it yet needs a second. */
export async function runScript(
  { client, withinMs }: ScriptRunner,
  { sha, lua: text }: Script,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<unknown> {
  const run = (command: ScriptCommand): Promise<unknown> => {
    client.sendCommand(command);
    return inTime(command.promise, withinMs);
  };
  try {
    return await run(new ScriptCommand('evalsha', sha, keys, args));
  } catch (error) {
    if (!isReply(error, 'NOSCRIPT')) throw error;
    return run(new ScriptCommand('eval', text, keys, args));
  }
}

/** Whether Redis itself answered with an error, of that kind (`READONLY`, `OOM` …) if one is named. */
export function isReply(error: unknown, kind?: string): boolean {
  if (!(error instanceof Error && error instanceof ReplyError)) return false;
  return kind === undefined || error.message.startsWith(kind);
}

function asFunction(name: string, body: string): string {
  return `local function ${name}()\n${body}end\n`;
}

function script(text: string): Script {
  return { lua: text, sha: createHash('sha1').update(text).digest('hex') };
}

type Part = 'clock' | 'message' | 'alone' | 'starts' | 'record' | 'admit' | 'finish' | 'together' | 'beat';

function lua(name: Part): string {
  return readFileSync(new URL(`../lua/${name}.lua`, import.meta.url), 'utf8');
}
