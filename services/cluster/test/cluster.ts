import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Simulator, startSimulator } from '@nexus/simulator';
import { type RedisProxy, type StartedProcess, startProcess, startRedisProxy, until } from '@nexus/testkit';
import { startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { isRecord, numberIn, type Rec, textIn } from './record.ts';

/** For `until`: whatever a stalled machine may need. */
export const PATIENT = { withinMs: 20_000, everyMs: 20 } as const;

/** A gateway in a process of its own, with all that it wrote. It stays in the list when it has ended. */
export interface Instance {
  readonly url: string;
  readonly process: StartedProcess;
  /** The lines of its log. */
  readonly log: () => Rec[];
  /** `status` of its /health; `unreachable` where nobody answers. */
  readonly health: () => Promise<string>;
  /** Gives it other settings while it runs, and resolves when it has taken them over. */
  readonly configure: (settings: string) => Promise<void>;
}

export interface ClusterOptions {
  readonly count: number;
  /** YAML besides listen address, upstream, Redis and time zone. */
  readonly settings: string;
  readonly redisArgs?: readonly string[];
}

/** Gateways that share one Redis in front of one upstream. Redis is reached through a proxy that a test can break. */
export interface Cluster extends AsyncDisposable {
  readonly redis: TestRedis;
  readonly proxy: RedisProxy;
  readonly simulator: Simulator;
  /** All that were ever started, oldest first. */
  readonly instances: readonly Instance[];
  /** Starts one more; with other settings if they are given. */
  start(settings?: string): Promise<Instance>;
  /** Starts Redis again, empty, where it was. */
  restartRedis(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../gateway/src/main.ts', import.meta.url));
const INSTANCES_KEY = '{nexus}:instances';

/** Starts a cluster; it lasts until it is disposed of. Its instances know of each other. */
export async function startCluster({ count, settings, redisArgs = [] }: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'nexus-cluster-'));
  const instances: Instance[] = [];
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  try {
    const simulator = await startSimulator({ record: false });
    stack.defer(() => simulator.close());
    const redis = await startRedis(redisArgs);
    const processes = [redis.process];
    stack.defer(async () => {
      redis.client.disconnect();
      for (const process of processes) await process[Symbol.asyncDispose]();
    });
    const proxy = stack.use(await startRedisProxy(redis.port));
    stack.defer(async () => {
      await Promise.all(instances.map(({ process }) => process[Symbol.asyncDispose]()));
    });
    let started = 0;
    const zone = zoneAtNoon();
    const start = async (own = settings): Promise<Instance> => {
      started += 1;
      const file = join(folder, `${started}.yaml`);
      const write = async (more: string) => {
        const lines = [
          ...['listen_port: 0', 'listen_host: 127.0.0.1', `target_url: ${simulator.url}`],
          ...[`redis_url: ${proxy.url}`, `time_zone: ${zone}`, more, ''],
        ];
        await writeFile(`${file}.new`, lines.join('\n'));
        await rename(`${file}.new`, file);
      };
      await write(own);
      const instance = asInstance(
        write,
        await startProcess({
          command: process.execPath,
          args: [MAIN, '--config', file],
          env: { NODE_OPTIONS: undefined },
          readyWhen: /"message":"listening"/,
          readyWithinMs: 60_000,
        }),
      );
      instances.push(instance);
      return instance;
    };
    const cluster: Cluster = {
      redis,
      proxy,
      simulator,
      instances,
      start,
      restartRedis: async () => {
        const again = await startRedis(redisArgs, { port: redis.port });
        again.client.disconnect();
        processes.push(again.process);
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
    await Promise.all(Array.from({ length: count }, () => start()));
    await untilAllKnow(redis, count);
    return cluster;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Waits until `count` instances beat, and each has beaten again since, so that it knows of all the others. */
async function untilAllKnow({ client }: Pick<TestRedis, 'client'>, count: number): Promise<void> {
  await until(async () => (await client.zcard(INSTANCES_KEY)) === count, PATIENT);
  const [seconds = 0, micros = 0] = (await client.time()).map(Number);
  const nowMs = seconds * 1_000 + micros / 1_000;
  await until(async () => (await client.zcount(INSTANCES_KEY, `(${nowMs}`, '+inf')) === count, PATIENT);
}

function asInstance(write: (settings: string) => Promise<void>, process: StartedProcess): Instance {
  const url = /"url":"([^"]+)"/.exec(process.stdout.find((line) => line.includes('"listening"')) ?? '')?.[1];
  if (url === undefined) throw new Error(`A gateway didn't say where it listens: ${process.stdout}`);
  const changes = () => process.stdout.filter((line) => line.includes('"configuration changed"')).length;
  return {
    url,
    process,
    async configure(settings) {
      const before = changes();
      await write(settings);
      process.signal('SIGHUP');
      await until(() => changes() > before, PATIENT);
    },
    log: () => process.stdout.map((line): unknown => JSON.parse(line)).filter(isRecord),
    async health() {
      try {
        const told: unknown = await (await fetch(`${url}/health`)).json();
        return isRecord(told) ? textIn(told, 'status') : '';
      } catch {
        return 'unreachable';
      }
    },
  };
}

/** A zone where it is about noon, so that no day and no month ends while a test runs. */
function zoneAtNoon(): string {
  const ahead = 12 - new Date().getUTCHours();
  if (ahead === 0) return 'UTC';
  // The sign in these names is the other way round (tzdata, etcetera).
  return ahead > 0 ? `Etc/GMT-${ahead}` : `Etc/GMT+${-ahead}`;
}

/** One of a key's buckets, as an instance shows it. */
export interface ShownBucket {
  readonly limit: string;
  readonly size: number;
  readonly available: number;
}

/** A key's buckets, by their names. */
export async function bucketsOf({ url }: Instance, key: string): Promise<ReadonlyMap<string, ShownBucket>> {
  const answer = await fetch(`${url}/nexus/limits`, { headers: { authorization: `Bearer ${key}` } });
  const told: unknown = await answer.json();
  const list = isRecord(told) && Array.isArray(told.buckets) ? told.buckets.filter(isRecord) : [];
  if (list.length === 0) throw new Error(`No limits: ${JSON.stringify(told)}`);
  return new Map(
    list.map((bucket) => {
      const limit = textIn(bucket, 'limit');
      const shown = { limit, size: numberIn(bucket, 'size'), available: numberIn(bucket, 'available') };
      return [limit.slice(limit.lastIndexOf('/') + 1), shown];
    }),
  );
}
