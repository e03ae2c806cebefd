import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { afterAll, describe, it } from 'vitest';
import { limiterContract } from '../limiter-contract.ts';
import { redisHarness, sharedConnections } from './redis-harness.ts';

if (noRedis) describe.skip('the Redis limiter', () => it(noRedis ?? ''));
else {
  const redis = await startRedis();
  const connections = await sharedConnections(redis.url);
  afterAll(async () => {
    connections.close();
    redis.client.disconnect();
    await redis.process.stop();
  });
  limiterContract('the Redis limiter', redisHarness(connections, redis.client), { runs: 250 });
}
