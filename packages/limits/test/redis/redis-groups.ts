import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type StartedProcess, startProcess, tempDir, until } from '@nexus/testkit';
import { redisServerPath, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import type { RedisSettings } from '../../src/index.ts';

/** A master, its replica, and the Sentinel that watches them. */
export interface SentinelGroup {
  readonly master: TestRedis;
  readonly replica: TestRedis;
  readonly settings: RedisSettings;
}

/** Starts them, and waits until a failover could happen. */
export async function startSentinelGroup(): Promise<SentinelGroup> {
  const master = await startRedis();
  const replica = await startRedis(['--replicaof', `127.0.0.1 ${master.port}`]);
  const sentinelPort = await freePort();
  const file = join(await tempDir(), 'sentinel.conf');
  const lines = [
    `port ${sentinelPort}`,
    'bind 127.0.0.1',
    `sentinel monitor nexus 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds nexus 500',
    'sentinel failover-timeout nexus 2000',
  ];
  await writeFile(file, lines.join('\n'));
  const sentinel = await startProcess({
    command: redisServerPath(),
    args: [file, '--sentinel'],
    readyWhen: /\+monitor master nexus/,
  });
  await linked(replica);
  await knowsReplica(sentinel);
  return { master, replica, settings: { sentinels: [`127.0.0.1:${sentinelPort}`], name: 'nexus' } };
}

const linked = ({ client }: TestRedis) =>
  until(async () => (await client.info('replication')).includes('master_link_status:up'), {
    withinMs: 20_000,
  });

/** Sentinel hears of replicas by asking the master, every ten seconds. */
const knowsReplica = (sentinel: StartedProcess) =>
  until(() => sentinel.stdout.some((line) => line.includes('+slave')), { withinMs: 25_000 });

/** Three masters that share the slots, without replicas. */
export interface ClusterGroup {
  readonly nodes: readonly TestRedis[];
  readonly settings: RedisSettings;
  /** Begins to move the slot of a key: from here on both of its nodes ask for patience. */
  beginMove(key: string): Promise<SlotMove>;
}

export interface SlotMove {
  /** Moves some of the slot's keys; how many. */
  moveSome(count: number): Promise<number>;
  /** Gives the slot to its new node. */
  end(): Promise<void>;
}

export async function startClusterGroup(): Promise<ClusterGroup> {
  const busPorts = await Promise.all([freePort(), freePort(), freePort()]);
  const nodes = await Promise.all(
    busPorts.map((bus) =>
      startRedis([
        ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '5000'],
        ...['--cluster-port', `${bus}`],
      ]),
    ),
  );
  const [first] = nodes;
  if (!first) throw new Error('There are no nodes');
  const bounds = [0, 5461, 10923, 16384];
  // As redis-cli does it: masters of the same epoch settle their order later, and may take back a slot that has moved meanwhile.
  for (const [index, { client }] of nodes.entries())
    await client.call('cluster', ['SET-CONFIG-EPOCH', `${index + 1}`]);
  for (const [index, { client, port }] of nodes.entries()) {
    await client.call('cluster', ['ADDSLOTSRANGE', `${bounds[index]}`, `${(bounds[index + 1] ?? 0) - 1}`]);
    if (index > 0) await first.client.call('cluster', ['MEET', '127.0.0.1', `${port}`, `${busPorts[index]}`]);
  }
  const isWhole = async () => {
    const told = await Promise.all(nodes.map(({ client }) => client.call('cluster', ['INFO'])));
    return told.every((info) => /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(`${info}`));
  };
  await until(isWhole, { withinMs: 30_000, everyMs: 50 });
  return {
    nodes,
    settings: { cluster: nodes.map(({ port }) => `127.0.0.1:${port}`) },
    async beginMove(key) {
      const slot = `${await first.client.call('cluster', ['KEYSLOT', key])}`;
      const ids = await Promise.all(
        nodes.map(async ({ client }) => `${await client.call('cluster', ['MYID'])}`),
      );
      const from = Number(slot) < 5461 ? 0 : Number(slot) < 10923 ? 1 : 2;
      const to = (from + 1) % 3;
      const [source, target] = [nodes[from], nodes[to]];
      if (!source || !target) throw new Error('There is no such node');
      await target.client.call('cluster', ['SETSLOT', slot, 'IMPORTING', ids[from] ?? '']);
      await source.client.call('cluster', ['SETSLOT', slot, 'MIGRATING', ids[to] ?? '']);
      return {
        async moveSome(count) {
          const keys = await source.client.call('cluster', ['GETKEYSINSLOT', slot, `${count}`]);
          if (!Array.isArray(keys) || keys.length === 0) return 0;
          const where = ['127.0.0.1', `${target.port}`, '', '0', '5000'];
          await source.client.call('migrate', [...where, 'KEYS', ...keys.map(String)]);
          return keys.length;
        },
        async end() {
          for (const { client } of [target, source])
            await client.call('cluster', ['SETSLOT', slot, 'NODE', ids[to] ?? '']);
        },
      };
    },
  };
}
