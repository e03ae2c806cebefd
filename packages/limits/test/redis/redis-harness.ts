import type { Redis } from 'ioredis';
import { type Connections, connectRedis, RedisLimiter } from '../../src/index.ts';
import { LEASE_MS, type MakeLimiter, SLICE_MS } from '../limiter-harness.ts';
import { readMsgpack } from './stored-numbers.ts';

let made = 0;

/** Connections that outlive the limiters which share them. They wait long: the machine of a test may be busy. */
export async function sharedConnections(url: string): Promise<Connections> {
  const connections = connectRedis({ url, commandTimeoutMs: 10_000 }, () => {});
  for (const client of [connections.admitting, connections.ending]) {
    client.setMaxListeners(0);
    if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve));
  }
  return connections;
}

/**
 * Limiters on one Redis, each with keys of its own, by a clock that is set by hand. One at a time: what those before have left is
 * forgotten, or every search for keys would go through all of it.
 */
export function redisHarness(shared: Connections, client: Redis, { gatherMs = 0 } = {}): MakeLimiter {
  return async (nowMs) => {
    let clockMs = nowMs;
    await client.flushdb();
    const keyPrefix = `test-${made++}`;
    const limiter = new RedisLimiter({
      connections: { ...shared, close() {} },
      keyPrefix,
      handClock: () => clockMs,
      leaseMs: LEASE_MS,
      sliceMs: SLICE_MS,
      // A repeated denial shows older buckets; it has tests of its own.
      repeatDenials: false,
      gatherMs,
      gatherFrom: 1,
    });
    return {
      limiter,
      setNow(toMs) {
        clockMs = toMs;
      },
      dump: () => dumpRecords(client, keyPrefix),
    };
  };
}

/** Every record under a prefix: its bytes, and the numbers in them. */
async function dumpRecords(client: Redis, keyPrefix: string): Promise<unknown> {
  const keys = (await client.keys(`{${keyPrefix}}:o:*`)).sort();
  const records: unknown[] = [];
  for (const key of keys) {
    const bytes = await client.getBuffer(key);
    if (bytes) records.push({ key, bytes: bytes.toString('hex'), numbers: readMsgpack(bytes) });
  }
  return records;
}
