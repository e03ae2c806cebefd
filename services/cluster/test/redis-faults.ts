import type { Cluster } from './cluster.ts';

/** A way in which the Redis of a running cluster can fail. */
export interface RedisFault {
  readonly name: string;
  /** Redis has forgotten all when it is back. */
  readonly forgets?: true;
  /** It is never away: it has only forgotten. */
  readonly stays?: true;
  /** Lets it happen; gives back what ends it. */
  readonly strike: (cluster: Cluster) => Promise<() => Promise<unknown>>;
}

/** Longer than the gateways of these tests wait for an answer. */
const SLOW_MS = 1_000;

export const REDIS_FAULTS: readonly RedisFault[] = [
  {
    name: 'is frozen',
    async strike({ redis: { process } }) {
      process.signal('SIGSTOP');
      return async () => process.signal('SIGCONT');
    },
  },
  {
    name: 'is flushed',
    forgets: true,
    stays: true,
    async strike({ redis: { client } }) {
      await client.flushall();
      return async () => {};
    },
  },
  {
    name: 'becomes a read-only replica',
    async strike({ redis: { client } }) {
      await client.replicaof('127.0.0.1', 1);
      return () => client.replicaof('NO', 'ONE');
    },
  },
  {
    name: 'is out of memory',
    async strike({ redis: { client } }) {
      await client.config('SET', 'maxmemory', '1');
      return () => client.config('SET', 'maxmemory', '0');
    },
  },
  {
    name: 'has another password',
    async strike({ redis: { client } }) {
      await client.config('SET', 'requirepass', 'another');
      await client.call('client', ['KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
      return () => client.config('SET', 'requirepass', '');
    },
  },
  {
    name: 'is heard no more, though it hears',
    async strike({ proxy }) {
      proxy.losesAnswers = true;
      return async () => {
        proxy.losesAnswers = false;
        // A connection that lost something in the middle ends: TCP knows no other way.
        proxy.cut();
      };
    },
  },
  {
    name: 'answers too late',
    async strike({ proxy }) {
      proxy.delayMs = SLOW_MS;
      return async () => {
        proxy.delayMs = 0;
      };
    },
  },
  // The last: a process that a test starts ends with this test.
  {
    name: 'is killed, and starts again with nothing',
    forgets: true,
    async strike({ redis, restartRedis }) {
      await redis.process.stop('SIGKILL');
      return restartRedis;
    },
  },
];
