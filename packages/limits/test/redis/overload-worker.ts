/**
 * An instance under overload, as a process of its own: asks for one owner's limits without a pause until it is told the time is up, and
 * prints what became of it. Arguments as JSON: see WorkerTask.
 */
import type { OwnerLimits } from '@nexus/domain';
import { connectRedis, RedisLimiter } from '../../src/index.ts';

export interface WorkerTask {
  readonly url: string;
  readonly keyPrefix: string;
  readonly owners: readonly OwnerLimits[];
  readonly forMs: number;
  /** Requests at once. */
  readonly clients: number;
  readonly leaseMs: number;
  readonly sliceMs: number;
  /** Whether requests end: settled with what they had asked for. */
  readonly settles: boolean;
}

const task: WorkerTask = JSON.parse(process.argv[2] ?? '{}');
const connections = connectRedis({ url: task.url, commandTimeoutMs: 5_000 }, () => {});
for (const client of [connections.admitting, connections.ending])
  if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve));
const { keyPrefix, leaseMs, sliceMs, owners } = task;
const limiter = new RedisLimiter({ connections, keyPrefix, leaseMs, sliceMs });
const demand = { requests: 1, inputTokens: 30, outputTokens: 70 };
let asked = 0;
let admitted = 0;

console.log('ready');
await new Promise((resolve) => setTimeout(resolve, 50));
const untilMs = performance.now() + task.forMs;
await Promise.all(
  Array.from({ length: task.clients }, async () => {
    while (performance.now() < untilMs) {
      asked += 1;
      const decision = await limiter.admit({ requestId: `${process.pid}-${asked}`, owners, demand });
      if (decision.admitted) {
        admitted += 1;
        if (task.settles) await limiter.settle(decision.reservation, demand);
      } else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }),
);
console.log(`done ${JSON.stringify({ asked, admitted })}`);
// What it holds is left to its leases.
process.exit(0);
