import { type Simulator, startSimulator } from '@nexus/simulator';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, chat, errorIn, newAgent } from './https-client.ts';
import {
  NEEDS_NGINX,
  nginx,
  type RunningEdge,
  type RunningGateway,
  startEdge,
  startGateway,
} from './running-edge.ts';

const PATH = '/v1/chat/completions';
/** A month's limit: what passes doesn't depend on how long the test takes. */
const ALLOWED = 40;

describe.skipIf(nginx.missing || noRedis)(
  `three gateways that share a Redis, behind nginx${NEEDS_NGINX}${noRedis ? ` (skipped: ${noRedis})` : ''}`,
  () => {
    let simulator: Simulator;
    let redis: TestRedis;
    let gateways: RunningGateway[];
    let edge: RunningEdge;

    beforeEach(async () => {
      gateways = [];
      simulator = await startSimulator({ record: false });
      redis = await startRedis();
      const settings = `redis_url: ${redis.url}\nlimits: { requests_per_month: ${ALLOWED} }`;
      for (let count = 0; count < 3; count++) gateways.push(await startGateway(simulator.url, { settings }));
      edge = await startEdge(gateways.map(({ port }) => port));
    }, 60_000);

    afterEach(async () => {
      await edge?.close();
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
      redis?.client.disconnect();
      await redis?.process.stop();
      await simulator?.close();
    });

    /** Asks so many times, 30 at once. */
    async function askOften(count: number, key = 'sk-test-key') {
      const agent = newAgent(30);
      const how = { ...chat({}, { authorization: `Bearer ${key}` }), agent };
      try {
        return await Promise.all(Array.from({ length: count }, () => ask(edge.url, PATH, how)));
      } finally {
        agent.destroy();
      }
    }

    it('let through exactly what a key is allowed, all together, and refuse the rest', async () => {
      const answers = await askOften(300);
      const refused = answers.filter(({ status }) => status === 429);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(ALLOWED);
      expect(refused).toHaveLength(300 - ALLOWED);
      for (const { text } of refused) expect(errorIn(text)).toMatchObject({ code: 'insufficient_quota' });
      expect(simulator.hits()).toBe(ALLOWED);
      const asked = edge.accessLog().map(({ instance }) => instance);
      for (const { port } of gateways)
        expect(asked.filter((instance) => instance === `127.0.0.1:${port}`).length).toBeGreaterThan(50);
      // Another key has limits of its own.
      expect((await askOften(10, 'sk-other-key')).map(({ status }) => status)).toEqual(Array(10).fill(200));
    }, 60_000);

    it('go on with what is left when one of them is killed, and when one is new', async () => {
      const first = await askOften(ALLOWED / 2);
      expect(first.map(({ status }) => status)).toEqual(Array(ALLOWED / 2).fill(200));
      await gateways[0]?.stop('SIGKILL');
      const settings = `redis_url: ${redis.url}\nlimits: { requests_per_month: ${ALLOWED} }`;
      const port = gateways[0]?.port;
      if (port === undefined) throw new Error('no gateway');
      gateways[0] = await startGateway(simulator.url, { settings, port });
      const answers = await askOften(100);
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(ALLOWED / 2);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(100 - ALLOWED / 2);
      expect(simulator.hits()).toBe(ALLOWED);
    }, 60_000);
  },
);
