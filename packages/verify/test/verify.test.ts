import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { reportText, verify } from '../src/index.ts';
import { KEY, optionsFor, ownSimulator, startGateway, willing } from './running-gateway.ts';

const LONG = { timeout: 120_000 };

describe('verifying a deployment that keeps its limits', () => {
  it('accuses none of them, and shows what each let through', LONG, async () => {
    // A stream of 16 tokens takes 4 seconds, so that the run itself ends it.
    const simulator = await ownSimulator({ tokensPerSecond: 4 });
    const { url } = await startGateway(
      simulator.url,
      `limits: { requests_per_second: { limit: 20, burst: 10 }, model_tokens_per_minute: 12000, concurrent_requests: 2, requests_per_day: 4000 }
models: { "gpt-4o*": { limits: { requests_per_hour: 9000 } } }`,
    );
    const operator = willing();
    const report = await verify(optionsFor(url), operator);
    const text = report === undefined ? '' : reportText(report);
    const states = new Map(
      report?.limits.map(({ limit, state }) => [limit.replace(/^key:[^/]+/, 'key'), state]),
    );
    expect([...states.keys()]).toEqual([
      'key/requests_per_second',
      'key/requests_per_day',
      'key/model_tokens_per_minute',
      'key/concurrent_requests',
      'model:gpt-4o*/requests_per_hour',
    ]);
    expect([...states.values()], text).not.toContain('broken');
    expect(states.get('key/requests_per_second'), text).toBe('held');
    expect(states.get('key/requests_per_day'), text).toBe('counted');
    expect(report?.refusals.seen).toBeGreaterThan(0);
    expect(report?.refusals.problems).toEqual([]);
    expect(report?.waits.map(({ result }) => result)).not.toContain('untrue');
    expect(report).toMatchObject({ exitCode: 0, disagreements: [], others: [] });
    expect(report?.verdict).toMatch(/^(every limit held|no limit was broken)/);
    expect(text.trimEnd().split('\n').at(-1)).toBe(`verdict: ${report?.verdict}`);
    expect(operator.heard[0]).toMatch(/in all about \d+ calls and \d+ tokens\. They are real/);
    // What Nexus counted is what the upstream served, and what was announced was not exceeded by much.
    const { reportedPromptTokens, reportedCompletionTokens } = simulator.usageServed();
    expect(report?.tokens).toBeLessThanOrEqual(reportedPromptTokens + reportedCompletionTokens);
    expect(JSON.stringify(report) + text + operator.heard.join()).not.toContain(KEY);
  });

  it.skipIf(noRedis)('finds that instances with one Redis agree', LONG, async ({ skip }) => {
    const redis = await startRedis();
    onTestFinished(async () => {
      redis.client.disconnect();
      await redis.process.stop();
    });
    const simulator = await ownSimulator();
    const settings = `redis_url: ${redis.url}\nredis: { command_timeout: 2s }\nlimits: { requests_per_hour: 40 }`;
    const one = await startGateway(simulator.url, settings);
    const other = await startGateway(simulator.url, settings);
    const instances = [one.url, other.url];
    const report = await verify(optionsFor(one.url, { instances }), willing());
    const lines = [...one.process.stdout, ...other.process.stdout];
    if (lines.some((line) => line.includes('"degraded":true') || line.includes('redis is away')))
      skip('Redis did not answer within its time: the machine is too busy for this test');
    expect(report, JSON.stringify(report)).toMatchObject({ exitCode: 0, disagreements: [] });
    expect(report?.limits).toMatchObject([{ state: 'held', worst: { over: 0 } }]);
    expect(report?.places).toHaveLength(2);
    expect(report?.places.reduce((sum, { admitted }) => sum + admitted, 0)).toBe(40);
  });
});

describe('verifying instances that share nothing', () => {
  it('finds each broken limit, where, and by how much', LONG, async () => {
    const simulator = await ownSimulator({ tokensPerSecond: 4 });
    const settings = 'limits: { requests_per_hour: 20, concurrent_requests: 1 }';
    const one = await startGateway(simulator.url, settings);
    const other = await startGateway(simulator.url, settings);
    const options = optionsFor(one.url, { instances: [one.url, other.url], seconds: 3 });
    const report = await verify(options, willing());
    const text = report === undefined ? '' : reportText(report);
    expect(report?.exitCode).toBe(1);
    expect(
      report?.limits.map(({ state }) => state),
      text,
    ).toEqual(['broken', 'broken']);
    const [hourly, slots] = report?.limits ?? [];
    expect(hourly?.worst?.over).toBeGreaterThan(0);
    expect(slots?.worst).toMatchObject({ units: 2, allowed: 1, over: 1 });
    expect(report?.verdict).toMatch(
      /^key:[^ ]+\/requests_per_hour was broken: \d+ over in \(\d+\.\d s, \d+\.\d s\]; key:[^ ]+\/concurrent_requests was broken: 1 over in /,
    );
    expect(report?.disagreements.join()).toContain(
      `${other.url} does not see calls that ${one.url} let through`,
    );
  });

  it('says so already when they tell different limits', LONG, async () => {
    const simulator = await ownSimulator();
    const one = await startGateway(simulator.url, 'limits: { requests_per_hour: 3 }');
    const other = await startGateway(simulator.url, 'limits: { requests_per_hour: 4 }');
    const report = await verify(optionsFor(one.url, { instances: [one.url, other.url] }), willing());
    expect(report).toMatchObject({
      exitCode: 1,
      verdict: expect.stringContaining('the instances do not agree'),
    });
    expect(report?.disagreements[0]).toMatch(/tell different limits: do they run with one configuration\?$/);
  });
});

describe('an operator', () => {
  it('who does not agree pays for nothing', LONG, async () => {
    const simulator = await ownSimulator();
    const { url } = await startGateway(simulator.url, 'limits: { model_tokens_per_minute: 6000 }');
    const plans: string[] = [];
    const agree = async (plan: string) => {
      plans.push(plan);
      return false;
    };
    expect(await verify(optionsFor(url), { agree, say: () => {} })).toBeUndefined();
    expect(plans.join()).toContain('They are real: the upstream bills them (gpt-4o-mini).');
    expect(simulator.usageServed().answers).toBe(0);
  });
});
