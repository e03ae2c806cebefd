import type { UsageServed } from '@nexus/simulator';
import { until } from '@nexus/testkit';
import type { Allowance } from './allowance.ts';
import type { Call } from './clients.ts';
import { bucketsOf, type Cluster, type Instance, PATIENT } from './cluster.ts';
import { numberIn, type Rec, textIn } from './record.ts';

/** What Redis has of requests, by their ids. */
export interface RedisSeen {
  /** Those that hold something. */
  readonly open: ReadonlySet<string>;
  /** Those that were settled or cancelled in the last minute. */
  readonly ended: ReadonlySet<string>;
  /** Keys that would stay for ever. */
  readonly withoutEnd: readonly string[];
}

/** A client's key as Redis shows it, when all is over. */
export interface KeySeen {
  readonly key: string;
  /** Tokens of its day: used, and held. Undefined: it has no such limit. */
  readonly dayUsed: number | undefined;
  readonly slotsHeld: number;
}

/** A line about a request in an instance's log. */
export interface RequestLine {
  /** As its client knows it: the upstream's own id, where the upstream answered. */
  readonly id: string;
  /** As Redis knows it. */
  readonly ownId: string;
  readonly decision: string;
  /** Decided without Redis. */
  readonly isAlone: boolean;
  /** Settled: input and output. */
  readonly tokens: number;
  readonly usageSource: string;
  readonly limiterMs: number;
}

/** All that was seen of one run, by everybody. */
export interface Run {
  readonly calls: readonly Call[];
  /** The lines about these calls in the logs of all instances. */
  readonly lines: readonly RequestLine[];
  /** What the upstream served in the run. */
  readonly served: UsageServed;
  readonly hits: number;
  readonly redis: RedisSeen;
  readonly keys: readonly KeySeen[];
  readonly allowances: readonly Allowance[];
  /** Where instances were killed: what they had under way was never settled. */
  readonly killed: ReadonlySet<string>;
  /** Redis was away. Undefined: it was always there. */
  readonly outage?: Outage;
  readonly gatheredMs: number;
}

/** When Redis was away, or forgot: from just before until all instances say that they are well. Times are `performance.now()`. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
  /** Redis lost its memory, and what was settled about then with it. */
  readonly forgets: boolean;
}

/** What of a run must be told, since nobody could see it. */
export interface Told {
  readonly calls: readonly Call[];
  readonly allowances: readonly Allowance[];
  readonly killed?: readonly Instance[];
  readonly outage?: Outage;
}

/** Begins a run: gives back what ends it. To be ended when the calls are over, and Redis is there. */
export function beginRun(cluster: Cluster): (told: Told) => Promise<Run> {
  const { simulator } = cluster;
  const served = simulator.usageServed();
  const hits = simulator.hits();
  return async (told) => {
    const seen = await gather(cluster, told);
    return {
      ...seen,
      served: since(served, simulator.usageServed()),
      hits: simulator.hits() - hits,
    };
  };
}

function since(before: UsageServed, now: UsageServed): UsageServed {
  return {
    answers: now.answers - before.answers,
    promptTokens: now.promptTokens - before.promptTokens,
    completionTokens: now.completionTokens - before.completionTokens,
    reportedPromptTokens: now.reportedPromptTokens - before.reportedPromptTokens,
    reportedCompletionTokens: now.reportedCompletionTokens - before.reportedCompletionTokens,
  };
}

async function gather(cluster: Cluster, told: Told): Promise<Omit<Run, 'served' | 'hits'>> {
  const { calls, allowances, killed: dead = [], outage } = told;
  const killed = new Set(dead.map(({ url }) => url));
  const ids = new Set(calls.map(({ id }) => id));
  // Ends go to Redis, and lines to the log, just after the answers.
  const mostOpen = calls.filter(({ url, end }) => killed.has(url) && end !== 'whole').length;
  await until(async () => (await redisSeen(cluster)).open.size <= mostOpen, PATIENT);
  const through = calls.filter(({ status, url }) => status === 200 && !killed.has(url));
  await until(() => {
    const inLogs = new Set(requestLines(cluster).map((line) => line.id));
    return through.every(({ id }) => inLogs.has(id));
  }, PATIENT);
  const alive = await livingInstance(cluster, killed);
  const isExact = killed.size === 0 && outage?.forgets !== true;
  const keys = await Promise.all(
    [...new Set(calls.map(({ key }) => key))].map((key) => {
      const own = new Set(calls.filter((call) => call.key === key).map(({ id }) => id));
      const lines = requestLines(cluster).filter(({ id }) => own.has(id));
      return keySeen(alive, key, isExact ? tokensOf(lines) : undefined);
    }),
  );
  return {
    calls,
    allowances,
    killed,
    keys,
    lines: requestLines(cluster).filter(({ id }) => ids.has(id)),
    redis: await redisSeen(cluster),
    gatheredMs: performance.now(),
    ...(outage === undefined ? {} : { outage }),
  };
}

async function livingInstance({ instances }: Cluster, killed: ReadonlySet<string>): Promise<Instance> {
  for (const instance of instances)
    if (!killed.has(instance.url) && (await instance.health()) === 'ok') return instance;
  throw new Error('No instance is left to ask.');
}

/** What instances decided alone they tell Redis with their next beat: that is waited for, as long as less is used than is due. */
async function keySeen(instance: Instance, key: string, dueTokens: number | undefined): Promise<KeySeen> {
  const look = async (): Promise<KeySeen> => {
    const buckets = await bucketsOf(instance, key);
    const used = (name: string) => {
      const bucket = buckets.get(name);
      return bucket && bucket.size - bucket.available;
    };
    return { key, dayUsed: used('model_tokens_per_day'), slotsHeld: used('concurrent_requests') ?? 0 };
  };
  const isTold = ({ dayUsed, slotsHeld }: KeySeen) =>
    dueTokens === undefined || ((dayUsed === undefined || dayUsed >= dueTokens) && slotsHeld === 0);
  const inTime = until(async () => {
    const seen = await look();
    return isTold(seen) && seen;
  }, PATIENT);
  // Then the sums say what is wrong with it.
  return inTime.catch(look);
}

export function tokensOf(lines: readonly RequestLine[]): number {
  return lines.reduce((sum, { tokens }) => sum + tokens, 0);
}

function requestLines({ instances }: Cluster): RequestLine[] {
  return instances.flatMap(({ log }) =>
    log()
      .filter((line) => 'request_id' in line)
      .map(requestLine),
  );
}

function requestLine(line: Rec): RequestLine {
  const ownId = textIn(line, 'request_id');
  return {
    id: textIn(line, 'upstream_request_id') || ownId,
    ownId,
    decision: textIn(line, 'decision'),
    isAlone: line.degraded === true,
    tokens: numberIn(line, 'input_tokens') + numberIn(line, 'output_tokens'),
    usageSource: textIn(line, 'usage_source'),
    limiterMs: numberIn(line, 'limiter_ms'),
  };
}

const REQUESTS = '{nexus}:r:';

/** Looks at every key. A request's is empty when it has ended; what instances charge besides begins with a dot or `alone`. */
export async function redisSeen({ redis: { client } }: Cluster): Promise<RedisSeen> {
  const open = new Set<string>();
  const ended = new Set<string>();
  const withoutEnd: string[] = [];
  const all = await client.keys('*');
  const looks = client.pipeline();
  for (const key of all) looks.pttl(key).strlen(key.startsWith(REQUESTS) ? key : `${REQUESTS}none`);
  const told = (await looks.exec()) ?? [];
  for (const [index, key] of all.entries()) {
    const ttlMs = told[2 * index]?.[1];
    const length = told[2 * index + 1]?.[1];
    if (ttlMs === -1) withoutEnd.push(key);
    // Gone meanwhile.
    if (!key.startsWith(REQUESTS) || typeof ttlMs !== 'number' || ttlMs === -2) continue;
    (length === 0 ? ended : open).add(key.slice(REQUESTS.length));
  }
  return { open, ended, withoutEnd };
}
