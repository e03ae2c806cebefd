import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { atTestEnd } from './at-test-end.ts';

/** A TCP proxy in front of a Redis that can lose or delay what Redis answers. */
export interface RedisProxy extends AsyncDisposable {
  readonly url: string;
  /** Connections made so far. */
  readonly connections: number;
  /** While true, every answer is lost; requests still arrive. `old`: only on connections that were made before. */
  losesAnswers: boolean | 'old';
  /** Every answer comes so much later, and none overtakes another: a network keeps the order. */
  delayMs: number;
  /** Breaks all connections. */
  cut(): void;
}

/** Starts a proxy in front of the Redis on that port of 127.0.0.1; it ends with the test. */
export async function startRedisProxy(redisPort: number): Promise<RedisProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  let losesAnswers: boolean | 'old' = false;
  let oldOnes = 0;
  const server = createServer((client) => {
    connections += 1;
    const number = connections;
    const redis = connect(redisPort, '127.0.0.1');
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    /** Ends when the last answer has been passed on. */
    let passed: Promise<unknown> | undefined;
    client.on('data', (bytes) => redis.write(bytes));
    redis.on('data', (bytes) => {
      if (losesAnswers === true || (losesAnswers === 'old' && number <= oldOnes)) return;
      if (proxy.delayMs === 0 && passed === undefined) {
        client.write(bytes);
        return;
      }
      const arrived = wait(proxy.delayMs);
      const mine = Promise.all([passed, arrived]).then(() => {
        client.write(bytes);
        if (passed === mine) passed = undefined;
      });
      passed = mine;
    });
    client.on('close', () => redis.destroy());
    redis.on('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    proxy.cut();
    await closed;
  };
  const proxy: RedisProxy = {
    url: `redis://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    get losesAnswers() {
      return losesAnswers;
    },
    set losesAnswers(loses) {
      oldOnes = connections;
      losesAnswers = loses;
    },
    delayMs: 0,
    cut() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    [Symbol.asyncDispose]: close,
  };
  await atTestEnd(close);
  return proxy;
}
