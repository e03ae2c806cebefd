import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { BucketLimit, OwnerLimits } from '@nexus/domain';
import { Redis } from 'ioredis';
import { connectRedis, RedisLimiter } from '../src/index.ts';

/**
 * What an admission costs inside Redis, beside a bare GCRA (one GET, one SET) in the same run; what a key costs in memory; and how
 * many requests a second one process gets through. `node packages/limits/bench/redis.ts`; redis-server must be on PATH.
 *
 * The time is Redis' own (`INFO commandstats`), the least of several rounds: noise only ever adds.
 */
const MINUTE_MS = 60_000;
const CALLS = 4_000;
const ROUNDS = 7;
/** The bound: 6 buckets in 2 records cost at most so many times a bare GCRA. */
const MOST = 2.5;

const GCRA = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
if arrival < now then arrival = now end
local next = arrival + tonumber(ARGV[1])
if next - now > tonumber(ARGV[2]) then return { 0, next - now } end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil(next - now) + 1)
return { 1, 0 }`;

const rate = (name: string, counts: 'requests' | 'model_tokens', amount: number): BucketLimit => ({
  kind: 'rate',
  name,
  counts,
  periodMs: MINUTE_MS,
  amount,
  burst: amount,
});
const requests = rate('requests_per_minute', 'requests', 100_000_000);
const tokens = rate('model_tokens_per_minute', 'model_tokens', 10_000_000_000);
const slots: BucketLimit = { kind: 'concurrency', name: 'concurrent_requests', slots: 1_000_000 };
const second = rate('requests_per_second', 'requests', 100_000_000);
const day: BucketLimit = {
  kind: 'calendar',
  name: 'model_tokens_per_day',
  counts: 'model_tokens',
  period: 'day',
  amount: 1e12,
  timeZone: 'Europe/Berlin',
};
const owner = (name: string, ...buckets: BucketLimit[]): OwnerLimits => ({ owner: name, buckets, sizes: [] });
const three = [owner('key:a', requests, tokens, slots)];
const six = [...three, owner('gateway', requests, tokens, slots)];
const full = [owner('key:a', requests, rate('model_tokens_per_minute', 'model_tokens', 10), slots)];
const demand = { requests: 1, inputTokens: 100, outputTokens: 200 };

const port = await freePort();
const server: ChildProcess = spawn(
  'redis-server',
  ['--port', `${port}`, '--save', '', '--appendonly', 'no'],
  {
    stdio: 'ignore',
  },
);
process.on('exit', () => server.kill('SIGKILL'));
const client = new Redis({ port, host: '127.0.0.1', protocol: 2 });
client.on('error', () => {});
await new Promise((resolve) => client.once('ready', resolve));
const connections = connectRedis({ url: `redis://127.0.0.1:${port}`, commandTimeoutMs: 10_000 }, () => {});
for (const one of [connections.admitting, connections.ending])
  if (one.status !== 'ready') await new Promise((resolve) => one.once('ready', resolve));
const limiter = new RedisLimiter({ connections, repeatDenials: false });
let asked = 0;

/** Microseconds in the server for one call of whatever scripts run meanwhile. */
async function serverMicros(run: () => Promise<unknown>, together: number): Promise<number> {
  await client.config('RESETSTAT');
  for (let call = 0; call < CALLS; call += together)
    await Promise.all(Array.from({ length: together }, () => run()));
  const stats = await client.info('commandstats');
  return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(stats)?.[1] ?? 0) / CALLS;
}

async function admit(owners: readonly OwnerLimits[], ends: boolean): Promise<void> {
  asked += 1;
  const decision = await limiter.admit({ requestId: `r${asked}`, owners, demand });
  if (decision.admitted && ends) await limiter.settle(decision.reservation, demand);
}

const sha = String(await client.script('LOAD', GCRA));
const cases: [string, () => Promise<unknown>, number?][] = [
  ['bare GCRA, one key', () => client.evalsha(sha, 1, 'gcra', 0.001, 60_000)],
  ['admit, 3 buckets in 1 record', () => admit(three, false)],
  ['admit, 6 buckets in 2 records', () => admit(six, false)],
  ['refuse, 3 buckets', () => admit(full, false)],
  ['admit + settle, 3 buckets', () => admit(three, true)],
  ['admit + settle, 6 buckets', () => admit(six, true)],
  ['admit, 6 buckets, 32 together', () => admit(six, false), 32],
  ['admit + settle, 6, 32 together', () => admit(six, true), 32],
];
const least = new Map<string, number>();
for (let round = 0; round < ROUNDS; round += 1)
  for (const [name, run, together = 1] of cases) {
    const micros = await serverMicros(run, together);
    least.set(name, Math.min(micros, least.get(name) ?? micros));
    await client.flushall();
  }
const bare = least.get('bare GCRA, one key') ?? Number.NaN;
for (const [name, micros] of least)
  console.log(
    `${name.padEnd(32)} ${micros.toFixed(1).padStart(6)} µs in Redis  ${(micros / bare).toFixed(2)} ×`,
  );
const ratio = (least.get('admit, 6 buckets in 2 records') ?? Number.NaN) / bare;
console.log(
  `6 buckets: ${ratio.toFixed(2)} × a bare GCRA; the bound is ${MOST}: ${ratio <= MOST ? 'kept' : 'BROKEN'}`,
);

await client.flushall();
const five = [owner('key:search-prod', second, requests, tokens, day, slots)];
for (let count = 0; count < 5; count += 1) await admit(five, count < 3);
for (const key of await client.keys('{nexus}:*'))
  console.log(
    `${key.includes(':o:') ? 'five limits of a key' : 'a request'}: ${await client.memory('USAGE', key)} B`,
  );

for (const together of [1, 32, 256]) {
  const startMs = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: together }, async () => {
      while (performance.now() - startMs < 2_000) {
        await admit(six, true);
        done += 1;
      }
    }),
  );
  const seconds = (performance.now() - startMs) / 1_000;
  console.log(
    `${together} at once: ${Math.round(done / seconds).toLocaleString('en-US')} admissions + settlements a second`,
  );
}
await limiter.close();
client.disconnect();
server.kill();

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address
          ? resolve(address.port)
          : reject(new Error('There is no port')),
      );
    });
  });
}
