import type { BucketLimit, OwnerLimits, Reservation } from '@nexus/domain';
import { RedisLimiter } from '@nexus/limits';
import type { Bench, Figure } from '../bench.ts';
import type { Machine } from '../machine.ts';
import { type StartedRedis, startRedis } from '../redis.ts';
import { median, spreadOf } from '../statistics.ts';

/** The least that a limiter in Redis can do: one GET, one SET. */
const GCRA = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
if arrival < now then arrival = now end
local next = arrival + tonumber(ARGV[1])
if next - now > tonumber(ARGV[2]) then return { 0, next - now } end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil(next - now) + 1)
return { 1, 0 }`;

const MINUTE_MS = 60_000;
const AMPLE = 100_000_000;
const TOGETHER = 32;

const rate = (name: string, counts: 'requests' | 'model_tokens', amount: number): BucketLimit => {
  return { kind: 'rate', name, counts, periodMs: MINUTE_MS, amount, burst: amount };
};
const requests = rate('requests_per_minute', 'requests', AMPLE);
const tokens = rate('model_tokens_per_minute', 'model_tokens', AMPLE * 100);
const slots: BucketLimit = { kind: 'concurrency', name: 'concurrent_requests', slots: AMPLE };
const owner = (name: string, ...buckets: BucketLimit[]): OwnerLimits => ({ owner: name, buckets, sizes: [] });
const six = [owner('key:a', requests, tokens, slots), owner('gateway', requests, tokens, slots)];
const demand = { requests: 1, inputTokens: 100, outputTokens: 200 };
/** Its gateway's tokens are used up by the first request. */
const exhausted = [
  owner('key:a', requests, tokens, slots),
  owner('gateway-b', requests, rate('model_tokens_per_minute', 'model_tokens', 300), slots),
];
const five = owner(
  'key:search-prod',
  ...[rate('requests_per_second', 'requests', AMPLE), requests, tokens, slots],
  {
    kind: 'calendar',
    name: 'model_tokens_per_day',
    counts: 'model_tokens',
    period: 'day',
    amount: 1e12,
    timeZone: 'UTC',
  },
);

/** What this figure needs of a bench. */
type RedisBench = Pick<Bench, 'quick' | 'progress'> & { readonly machine: Pick<Machine, 'deviceCores'> };

/** Microseconds in the server for one of each, in one round. */
interface Round {
  readonly gcra: number;
  readonly admit: number;
  readonly settle: number;
  readonly refuse: number;
  readonly admitTogether: number;
  readonly settleTogether: number;
}

/**
 * B6: the server's own time for an admission over six buckets of two owners, alone in its call, divided by that of a bare GCRA in the same
 * round; and what the limits of a key take of its memory.
 */
export async function redisTime(bench: RedisBench): Promise<Figure[]> {
  bench.progress('B6 Redis: starting one');
  // Whatever calls it works beside it, on another core.
  const redis = await startRedis(bench.machine.deviceCores);
  if ('missing' in redis) return [timeFigure([], [redis.missing]), memoryFigure(undefined)];
  const limiter = new RedisLimiter({ connections: redis.connections, repeatDenials: false });
  try {
    const turns = bench.quick ? 10 : 16;
    const rounds: Round[] = [];
    // The first warms everything up.
    for (let round = 0, last = bench.quick ? 8 : 24; round <= last; round++) {
      bench.progress(`B6 Redis: round ${round} of ${last}`);
      await redis.connections.admitting.flushall();
      const found = await measure(redis, limiter, turns);
      if (round > 0) rounds.push(found);
    }
    bench.progress('B6 Redis: how many a second');
    const perSecond = await throughput(limiter, bench.quick ? 500 : 2_000);
    const many = `${TOGETHER} clients of one process: ${Math.round(perSecond)} admissions with settlements a second`;
    const bytes = await memory(redis, limiter);
    return [timeFigure(rounds, [...notesOf(rounds), many]), memoryFigure(bytes)];
  } finally {
    await limiter.close();
    await redis.stop();
  }
}

async function measure(redis: StartedRedis, limiter: RedisLimiter, turns: number): Promise<Round> {
  const { admitting } = redis.connections;
  const sha = String(await admitting.script('LOAD', GCRA));
  const admitted: Reservation[] = [];
  const gcra = async (): Promise<void> => {
    await admitting.evalsha(sha, 1, 'gcra', 0.001, MINUTE_MS);
  };
  const admit = async (): Promise<void> => {
    const decision = await limiter.admit({ requestId: nextId(), owners: six, demand });
    if (!decision.admitted) throw new Error('A limit that is ample refused a request.');
    admitted.push(decision.reservation);
  };
  const settle = async (): Promise<void> => {
    const reservation = admitted.pop();
    if (reservation) await limiter.settle(reservation, demand);
  };
  const refuse = async (): Promise<void> => {
    const decision = await limiter.admit({ requestId: nextId(), owners: exhausted, demand });
    if (decision.admitted) throw new Error('A limit that is used up let a request through.');
  };
  // The first of an owner makes its record.
  await admit();
  await settle();
  await limiter.admit({ requestId: nextId(), owners: exhausted, demand });
  const spent = { gcra: 0, admit: 0, settle: 0, refuse: 0, admitTogether: 0, settleTogether: 0 };
  const timed = async (what: keyof Round, together: number, run: () => Promise<void>): Promise<void> => {
    await redis.forgetCalls();
    for (let call = 0; call < TOGETHER; call += together)
      await Promise.all(Array.from({ length: together }, run));
    spent[what] += (await redis.calls()).us / TOGETHER / turns;
  };
  // Short turns: whatever else the machine does hits all alike.
  for (let turn = 0; turn < turns; turn++) {
    await timed('refuse', 1, refuse);
    if (turn % 2 === 0) await timed('gcra', 1, gcra);
    await timed('admit', 1, admit);
    if (turn % 2 === 1) await timed('gcra', 1, gcra);
    await timed('settle', 1, settle);
    await timed('admitTogether', TOGETHER, admit);
    await timed('settleTogether', TOGETHER, settle);
  }
  return spent;
}

/** Requests that are admitted and settled in a second of wall time, one after the other by each of many clients. */
async function throughput(limiter: RedisLimiter, forMs: number): Promise<number> {
  const startedMs = performance.now();
  let done = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - startedMs < forMs) {
      const decision = await limiter.admit({ requestId: nextId(), owners: six, demand });
      if (decision.admitted) await limiter.settle(decision.reservation, demand);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, client));
  return (done * 1_000) / (performance.now() - startedMs);
}

/** Bytes of a key's record after some requests, of which some are under way. */
async function memory(redis: StartedRedis, limiter: RedisLimiter): Promise<number> {
  const { admitting } = redis.connections;
  await admitting.flushall();
  for (let count = 0; count < 7; count++) {
    const decision = await limiter.admit({ requestId: nextId(), owners: [five], demand });
    if (decision.admitted && count < 4) await limiter.settle(decision.reservation, demand);
  }
  const [key = ''] = await admitting.keys('{nexus}:o:*');
  return Number(await admitting.memory('USAGE', key));
}

let ids = 0;

function nextId(): string {
  ids += 1;
  return `bench-${String(ids).padStart(16, '0')}`;
}

function timeFigure(rounds: readonly Round[], notes: readonly string[]): Figure {
  const spread = spreadOf(rounds.map(({ admit, gcra }) => admit / gcra));
  return {
    id: 'B6',
    title: 'Redis: an admission over six buckets, alone',
    value: rounds.length > 0 ? spread.median : undefined,
    spread,
    unit: '× GCRA',
    bound: 2.5,
    notes,
  };
}

function memoryFigure(bytes: number | undefined): Figure {
  return {
    id: 'B6',
    title: 'Redis: five limits of a key',
    value: bytes,
    unit: 'B',
    bound: 256,
    notes: [],
  };
}

function notesOf(rounds: readonly Round[]): string[] {
  const us = (what: keyof Round): string => `${median(rounds.map((round) => round[what])).toFixed(1)} µs`;
  const ratio = (what: keyof Round): string =>
    `${us(what)} (${median(rounds.map((round) => round[what] / round.gcra)).toFixed(2)} ×)`;
  return [
    `in the server: a bare GCRA ${us('gcra')}`,
    `alone in its call: admission ${ratio('admit')}, refusal ${ratio('refuse')}, settlement ${ratio('settle')}`,
    `${TOGETHER} in a call, each: admission ${ratio('admitTogether')}, settlement ${ratio('settleTogether')}`,
  ];
}
