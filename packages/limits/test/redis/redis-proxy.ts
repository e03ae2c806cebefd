import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A TCP proxy in front of a Redis that can lose or delay what Redis answers. */
export interface RedisProxy {
  readonly url: string;
  /** While true, every answer is lost; requests still arrive. */
  losesAnswers: boolean;
  /** Every answer comes so much later. */
  delayMs: number;
  /** Breaks all connections. */
  cut(): void;
}

export async function startProxy(redisPort: number): Promise<RedisProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const redis = connect(redisPort, '127.0.0.1');
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
    }
    client.on('data', (bytes) => redis.write(bytes));
    redis.on('data', (bytes) => {
      if (proxy.losesAnswers) return;
      if (proxy.delayMs > 0) setTimeout(() => client.write(bytes), proxy.delayMs);
      else client.write(bytes);
    });
    client.on('close', () => redis.destroy());
    redis.on('close', () => client.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const proxy: RedisProxy = {
    url: `redis://127.0.0.1:${port}`,
    losesAnswers: false,
    delayMs: 0,
    cut() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
  };
  onTestFinished(() => {
    proxy.cut();
    server.close();
  });
  return proxy;
}
