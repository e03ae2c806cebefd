import { readFileSync } from 'node:fs';
import { startSimulator } from '@nexus/simulator';
import { until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, chat } from './https-client.ts';
import { NEEDS_NGINX, nginx, startEdge, startGateway } from './running-edge.ts';

const PATH = '/v1/chat/completions';
const BURST = 30;
const ASKED = 120;
const AS_SENT = { withinMs: 20_000 };

describe.skipIf(nginx.missing !== undefined || noRedis !== undefined)(
  `three gateways behind nginx${NEEDS_NGINX}`,
  () => {
    it('let through together what the limit allows, not one more, and say the same of what is left', async () => {
      const simulator = await startSimulator({ record: false });
      onTestFinished(() => simulator.close());
      const redis = await startRedis();
      onTestFinished(async () => {
        redis.client.disconnect();
        await redis.process.stop();
      });
      const settings = [
        `redis_url: ${redis.url}`,
        'redis: { command_timeout: 2s }',
        `limits: { requests_per_hour: { limit: 1, burst: ${BURST} } }`,
      ].join('\n');
      const gateways = await Promise.all([1, 2, 3].map(() => startGateway(simulator.url, { settings })));
      onTestFinished(async () => {
        for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
      });
      const edge = await startEdge(gateways.map(({ port }) => port));
      onTestFinished(() => edge.close());

      const answers = await Promise.all(Array.from({ length: ASKED }, () => ask(edge.url, PATH, chat())));
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(BURST);
      expect(statuses.filter((status) => status === 429)).toHaveLength(ASKED - BURST);
      expect(simulator.hits()).toBe(BURST);
      // Each of them had its part in it.
      await until(
        () => gateways.map(({ requestLog }) => requestLog().length).reduce((sum, count) => sum + count) >= 3,
        AS_SENT,
      );
      expect(gateways.every(({ requestLog }) => requestLog().length > 0)).toBe(true);
      for (const { port } of gateways) {
        const own = await fetch(`http://127.0.0.1:${port}/nexus/limits`, { headers: chat().headers ?? {} });
        expect(await own.text()).toMatch(/requests_per_hour".*"available":0,/);
      }
    }, 60_000);
  },
);

describe('the size of bodies', () => {
  it('is by default the same for nginx and for the gateways', () => {
    const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
    const ofNginx = /client_max_body_size (\d+)m;/.exec(read('nginx/nginx.conf'))?.[1];
    const ofNexus = /"body_limit":.*?"default": "(\d+)MB"/s.exec(read('docs/config.schema.json'))?.[1];
    expect(ofNginx).toBeDefined();
    expect(ofNginx).toBe(ofNexus);
  });
});
