import { until } from '@nexus/testkit';
import { noRedis, startRedis, type TestRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requestLines, startWithSimulator } from './running-gateway.ts';

async function ownRedis(...given: Parameters<typeof startRedis>): Promise<TestRedis> {
  const redis = await startRedis(...given);
  onTestFinished(async () => {
    redis.client.disconnect();
    await redis.process.stop();
  });
  return redis;
}

const PATIENT = { withinMs: 20_000 };

const health = async (url: string) => (await fetch(`${url}/health`)).text();

const limits = (redis: TestRedis) =>
  `redis_url: ${redis.url}\nlimits: { requests_per_minute: { limit: 1, burst: 6 }, concurrent_requests: 50 }`;

describe.skipIf(noRedis)('gateways that share a Redis', () => {
  it('let one burst through together, and settle what was used', async () => {
    const redis = await ownRedis();
    const settings = `redis_url: ${redis.url}\nlimits: { requests_per_minute: { limit: 1, burst: 6 }, model_tokens_per_day: 100000 }`;
    const one = await startWithSimulator(settings);
    const other = await startWithSimulator(settings);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, count) => (count % 2 === 0 ? one : other).chat()),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(6);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(14);
    const used = await Promise.all(
      answers.map(async (answer) => Number(/"total_tokens":\s*(\d+)/.exec(await answer.text())?.[1] ?? 0)),
    );
    const tokens = used.reduce((sum, count) => sum + count, 0);
    const own = { headers: { authorization: 'Bearer sk-test-key' } };
    const left = async (url: string) =>
      JSON.stringify(await (await fetch(`${url}/nexus/limits`, own)).json());
    await until(async () => (await left(one.url)).includes(`"available":${100_000 - tokens}`), PATIENT);
    expect(await left(other.url)).toContain(`"available":${100_000 - tokens}`);
  });

  it('go on with their share when Redis dies, say so once, and come back by themselves', async () => {
    const redis = await ownRedis();
    const running = await startWithSimulator(limits(redis));
    expect((await running.chat()).status).toBe(200);
    await redis.process.stop('SIGKILL');
    const statuses: number[] = [];
    await until(async () => {
      statuses.push((await running.chat()).status);
      return (await health(running.url)).includes('"status":"degraded"');
    }, PATIENT);
    for (let count = 0; count < 10; count += 1) statuses.push((await running.chat()).status);
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(6);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    await ownRedis([], { port: redis.port });
    await until(async () => !(await health(running.url)).includes('degraded'), PATIENT);
    const messages = running.log.map(({ message }) => message);
    expect(messages.filter((message) => message === 'redis is away')).toHaveLength(1);
    expect(messages.filter((message) => message === 'redis is back')).toHaveLength(1);
  });

  it('say that each decides alone where Redis lets them run no scripts', async () => {
    const redis = await ownRedis();
    await redis.client.acl('SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-@scripting');
    const url = redis.url.replace('redis://', 'redis://plain:secret@');
    const running = await startWithSimulator(`redis_url: ${url}\nlimits: { requests_per_hour: 6 }`);
    const statuses: number[] = [];
    for (let count = 0; count < 10; count += 1) statuses.push((await running.chat()).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(6);
    expect(await health(running.url)).toContain('"status":"degraded"');
    const [said, ...again] = running.log.filter(({ message }) => message === 'redis is away');
    expect(JSON.stringify(said)).toContain('NOPERM');
    expect(again).toEqual([]);
  });

  it('answer 503 in every client’s shape while Redis is away, where limits are closed then', async () => {
    const redis = await ownRedis();
    await redis.process.stop('SIGKILL');
    const running = await startWithSimulator(`${limits(redis)}\non_redis_failure: closed`);
    const refused = await running.chat();
    expect(refused.status).toBe(503);
    expect(refused.headers.get('x-nexus-source')).toBe('nexus');
    expect(await refused.json()).toMatchObject({ error: { code: 'limiter_unavailable' } });
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ status: 503, error_code: 'limiter_unavailable' });
    expect(running.simulator.hits()).toBe(0);
  });

  it('let nothing through on a budget whose charge Redis can’t take, where budgets are closed; rates go on', async () => {
    const redis = await ownRedis();
    const running = await startWithSimulator(`
redis_url: ${redis.url}
redis: { command_timeout: 2s }
on_redis_failure: { rates: local, budgets: closed }
limits: { requests_per_minute: 100 }
keys:
  - { id: paid, key: sk-paid, limits: { usd_per_day: 10 } }
  - { id: free, key: sk-free }
`);
    const ask = (key: string) => running.chat({ max_tokens: 5 }, { authorization: `Bearer ${key}` });
    expect((await ask('sk-paid')).status).toBe(200);
    await redis.process.stop('SIGKILL');
    const refused = await Promise.all(Array.from({ length: 20 }, () => ask('sk-paid')));
    expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 503));
    expect(running.simulator.hits()).toBe(1);
    expect((await ask('sk-free')).status).toBe(200);
    await ownRedis([], { port: redis.port });
    await until(async () => (await ask('sk-paid')).status === 200, PATIENT);
  });

  it('tell nobody the password of Redis', async () => {
    const redis = await ownRedis(['--requirepass', 'another'], { password: 'another' });
    const url = redis.url.replace('redis://', 'redis://:hidden-canary@');
    const running = await startWithSimulator(`redis_url: ${url}\nlimits: { requests_per_second: 10 }`);
    await running.chat();
    await until(() => running.logText().includes('redis is away'), PATIENT);
    expect(running.logText() + (await health(running.url))).not.toContain('hidden-canary');
  });
});
