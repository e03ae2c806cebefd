import { MemoryLimiter } from '../src/index.ts';

/**
 * What admit + settle cost, with four buckets in one owner and in two; and what a million invented owners leave behind.
 * `node --expose-gc packages/limits/bench/memory-limiter.ts`
 */
const MINUTE_MS = 60_000;
const CALLS = 300_000;

const rate = (name: string, counts: 'requests' | 'model_tokens', amount: number) =>
  ({ kind: 'rate', name, counts, periodMs: MINUTE_MS, amount, burst: amount }) as const;
const requests = rate('requests_per_minute', 'requests', 10_000_000);
const tokens = rate('model_tokens_per_minute', 'model_tokens', 150_000_000);
const day = {
  kind: 'calendar',
  name: 'model_tokens_per_day',
  counts: 'model_tokens',
  period: 'day',
  amount: 1e12,
  timeZone: 'Europe/Berlin',
} as const;
const slots = { kind: 'concurrency', name: 'concurrent_requests', slots: 100 } as const;
const four = [{ owner: 'key:a', buckets: [requests, tokens, day, slots], sizes: [] }];
const two = [
  { owner: 'key:a', buckets: [requests, tokens], sizes: [] },
  { owner: 'gateway', buckets: [day, slots], sizes: [] },
];
const demand = { requests: 1, inputTokens: 100, outputTokens: 200 };

async function round(limiter: MemoryLimiter, owners: typeof four, from: number): Promise<number> {
  const startMs = performance.now();
  for (let index = from; index < from + CALLS; index += 1) {
    const decision = await limiter.admit({ requestId: `request-${index}`, owners, demand });
    if (decision.admitted)
      await limiter.settle(decision.reservation, { inputTokens: 100, outputTokens: 150 });
  }
  return ((performance.now() - startMs) * 1_000) / CALLS;
}

for (const [name, owners] of [
  ['4 buckets, 1 owner', four],
  ['4 buckets, 2 owners', two],
] as const) {
  const limiter = new MemoryLimiter();
  const rounds: number[] = [];
  for (let index = 0; index < 7; index += 1) rounds.push(await round(limiter, [...owners], index * CALLS));
  rounds.sort((one, other) => one - other);
  console.log(
    `${name}: admit + settle ${rounds[3]?.toFixed(2)} µs (median of 7 rounds of ${CALLS.toLocaleString('en-US')})`,
  );
  await limiter.close();
}

let clockMs = 0;
const limiter = new MemoryLimiter({ clock: () => clockMs });
const heapMb = () => {
  globalThis.gc?.();
  return Math.round(process.memoryUsage().heapUsed / 2 ** 20);
};
const before = heapMb();
for (let index = 0; index < 1_000_000; index += 1) {
  const buckets = [requests, tokens, slots];
  const owners = [{ owner: `key:${index}`, buckets, sizes: [] }];
  const decision = await limiter.admit({ requestId: `${index}`, owners, demand });
  if (decision.admitted) await limiter.settle(decision.reservation, { inputTokens: 100, outputTokens: 0 });
}
const full = heapMb();
clockMs += 10 * MINUTE_MS;
const startMs = performance.now();
while (limiter.state().owners > 0) await new Promise((resolve) => setTimeout(resolve, 500));
console.log(
  `a million owners: ${full - before} MB, ${heapMb() - before} MB once idle (swept in ${Math.round((performance.now() - startMs) / 1_000)} s without a call)`,
);
await limiter.close();
