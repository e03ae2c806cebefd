import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess, until } from '@nexus/testkit';
import { redisServerPath, startRedis, type TestRedis } from '@nexus/testkit/redis-server';

/** One way in which Redis can be away. */
export interface RedisFault {
  readonly name: string;
  /** Arguments of the Redis that it happens to, and the limiter's way to it. */
  readonly args?: readonly string[];
  readonly password?: string;
  /** Redis says nothing at all, so that each call takes its whole time-out. */
  readonly isSilent?: boolean;
  /** Redis comes back without its memory. */
  readonly empties?: boolean;
  /** Lets it happen; gives back what ends it. */
  readonly strike: (redis: TestRedis) => Promise<() => Promise<unknown>>;
}

async function dropClients({ client }: TestRedis): Promise<void> {
  await client.call('client', ['KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
}

async function dirOf(client: TestRedis['client']): Promise<string> {
  const told = await client.config('GET', 'dir');
  return Array.isArray(told) ? `${told[1]}` : '';
}

/** Starts a Redis that takes about two seconds to read its file, and answers LOADING meanwhile. */
async function startLoading(dir: string, port: number) {
  return startProcess({
    command: redisServerPath(),
    args: [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
      ...['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'],
    ],
    readyWhen: /Loading RDB|Reading RDB/,
  });
}

export const FAULTS: readonly RedisFault[] = [
  {
    name: 'is killed and starts empty',
    empties: true,
    async strike({ process, port }) {
      await process.stop('SIGKILL');
      return () => startRedis([], { port });
    },
  },
  {
    name: 'is frozen',
    isSilent: true,
    async strike({ process }) {
      process.signal('SIGSTOP');
      return async () => process.signal('SIGCONT');
    },
  },
  {
    name: 'is a read-only replica (READONLY)',
    async strike({ client }) {
      await client.replicaof('127.0.0.1', 1);
      return () => client.replicaof('NO', 'ONE');
    },
  },
  {
    name: 'is out of memory (OOM)',
    async strike({ client }) {
      await client.config('SET', 'maxmemory', '1');
      return () => client.config('SET', 'maxmemory', '0');
    },
  },
  {
    name: 'wants a password all of a sudden (NOAUTH)',
    async strike(redis) {
      await redis.client.config('SET', 'requirepass', 'another');
      await dropClients(redis);
      return () => redis.client.config('SET', 'requirepass', '');
    },
  },
  {
    name: 'has another password (WRONGPASS)',
    args: ['--requirepass', 'one'],
    password: 'one',
    async strike(redis) {
      await redis.client.config('SET', 'requirepass', 'another');
      await dropClients(redis);
      return () => redis.client.config('SET', 'requirepass', 'one');
    },
  },
  {
    name: 'is busy with a script (BUSY)',
    async strike({ client }) {
      await client.config('SET', 'busy-reply-threshold', '20');
      const other = client.duplicate();
      other.on('error', () => {});
      other.eval('while true do end', 0).catch(() => {});
      await until(async () => isRefused(client.ping(), 'BUSY'), { withinMs: 20_000 });
      return async () => {
        await client.script('KILL');
        other.disconnect();
      };
    },
  },
  {
    name: 'has too few replicas to write (NOREPLICAS)',
    async strike({ client }) {
      await client.config('SET', 'min-replicas-to-write', '1');
      return () => client.config('SET', 'min-replicas-to-write', '0');
    },
  },
  {
    name: 'cannot save to its disk (MISCONF)',
    async strike({ client }) {
      const dir = await dirOf(client);
      // No file can be moved to where a directory is.
      const inTheWay = join(dir, 'dump.rdb');
      await mkdir(join(inTheWay, 'full'), { recursive: true });
      await client.config('SET', 'save', '3600 1');
      await client.bgsave();
      await until(async () => (await client.info('persistence')).includes('rdb_last_bgsave_status:err'), {
        withinMs: 20_000,
      });
      return async () => {
        await rm(inTheWay, { recursive: true });
        await client.config('SET', 'save', '');
      };
    },
  },
  {
    name: 'reads its file from disk (LOADING)',
    async strike({ client, process, port }) {
      const dir = await dirOf(client);
      // Keys that take a millisecond each to load.
      const fill = "for i = 1, 2500 do redis.call('SET', 'filler:' .. i, string.rep('x', 64) .. i) end";
      await client.eval(fill, 0);
      await client.save();
      await process.stop('SIGKILL');
      const loading = await startLoading(dir, port);
      return () =>
        until(() => loading.stdout.some((line) => line.includes('Ready to accept')), { withinMs: 30_000 });
    },
  },
];

async function isRefused(call: Promise<unknown>, kind: string): Promise<boolean> {
  return call.then(
    () => false,
    (error: unknown) => `${error}`.includes(kind),
  );
}
