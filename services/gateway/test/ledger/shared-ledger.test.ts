import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSimulator } from '@nexus/simulator';
import { type StartedProcess, startProcess, tempDir, until } from '@nexus/testkit';
import { noPostgres, startPostgres } from '@nexus/testkit/postgres-server';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type RunningGateway, startInFrontOf } from '../running-gateway.ts';
import { nexus } from './run-command.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };
/** Until others take over what a dead instance has taken from the stream. */
const UNTIL_CLAIMED = { withinMs: 60_000, everyMs: 100 };
const TOKEN = 'hidden-token-of-a-reader';

const SETTINGS = `
limits: { requests_per_day: 100000, model_tokens_per_day: 100000000 }
teams: { search: { customers: { tier: any } } }
tiers: { any: { requests_per_second: 10000 } }
keys: [{ id: s1, key: sk-test-key, team: search }]
`;

const ADMIN = `admin: { listen: 127.0.0.1:0, tokens: [{ id: r, token: ${TOKEN}, scopes: [read] }] }`;

async function ownRedis() {
  const redis = await startRedis();
  onTestFinished(async () => {
    redis.client.disconnect();
    await redis.process.stop();
  });
  return redis;
}

async function upstream() {
  const simulator = await startSimulator();
  onTestFinished(() => simulator.close());
  return simulator;
}

/** Requests by customer, as the admin API of one instance shows them. */
async function byCustomer({ gateway }: RunningGateway): Promise<Map<string, number>> {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`${gateway.adminUrl}/admin/v1/usage?by=customer`, { headers });
  const { rows } = JSON.parse(await answer.text());
  return new Map(rows.map((row: { customer: string; requests: number }) => [row.customer, row.requests]));
}

async function totals({ gateway }: RunningGateway) {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const answer = await fetch(`${gateway.adminUrl}/admin/v1/usage?by=team`, { headers });
  return JSON.parse(await answer.text()).total;
}

describe.skipIf(noRedis)('a ledger that instances share in Redis', () => {
  it('comes to what the upstream gave out, over all instances and by `nexus usage`', async () => {
    const [redis, simulator] = [await ownRedis(), await upstream()];
    const settings = `redis_url: ${redis.url}\nledger: {}\n${SETTINGS}${ADMIN}`;
    const instances = await Promise.all([1, 2, 3].map(() => startInFrontOf(simulator.url, settings)));
    const [first] = instances;
    if (!first) throw new Error('There is none');
    await Promise.all(
      Array.from({ length: 60 }, async (_, count) => {
        const own = { 'x-nexus-customer': `c${count % 4}` };
        const answer = await instances[count % 3]?.chat({ stream: count % 2 === 0 }, own);
        expect(answer?.status).toBe(200);
        await answer?.text();
      }),
    );
    const total = await until(async () => {
      const sum = await totals(first);
      return sum.requests === 60 && sum;
    }, PATIENT);
    const served = simulator.usageServed();
    expect(total.input_tokens).toBe(served.reportedPromptTokens);
    expect(total.output_tokens).toBe(served.reportedCompletionTokens);
    expect(await byCustomer(first)).toEqual(new Map([0, 1, 2, 3].map((count) => [`c${count}`, 15])));
    const config = join(await tempDir(), 'config.yaml');
    writeFileSync(config, `target_url: http://127.0.0.1:9\n${settings}`);
    const { code, stdout } = await nexus('usage', '--config', config, '--json');
    expect([code, JSON.parse(stdout).total]).toEqual([0, total]);
    expect(first.logText()).not.toContain('ledger cannot');
  });

  it('has the records of requests that were decided while Redis was away, once it is back', async () => {
    const [redis, simulator] = [await ownRedis(), await upstream()];
    const running = await startInFrontOf(
      simulator.url,
      `redis_url: ${redis.url}\nledger: {}\nlimits: { requests_per_minute: 100000 }\n${ADMIN}`,
    );
    expect((await running.chat()).status).toBe(200);
    await until(async () => (await totals(running)).requests === 1, PATIENT);
    redis.process.signal('SIGSTOP');
    let calls = 1;
    await until(async () => {
      calls += 1;
      expect((await running.chat()).status).toBe(200);
      return (await (await fetch(`${running.url}/health`)).text()).includes('degraded');
    }, PATIENT);
    for (let count = 0; count < 5; count += 1) {
      calls += 1;
      expect((await running.chat()).status).toBe(200);
    }
    redis.process.signal('SIGCONT');
    await until(async () => (await totals(running)).requests >= calls, PATIENT);
    expect((await totals(running)).requests).toBe(calls);
  });

  it('loses no record of the living when an instance is killed in the middle of its work', async () => {
    const [redis, simulator] = [await ownRedis(), await upstream()];
    const settings = `redis_url: ${redis.url}\nledger: {}\n${SETTINGS}`;
    const living = await startInFrontOf(simulator.url, `${settings}${ADMIN}`);
    const dying = await startGatewayProcess(simulator.url, settings);
    const call = async (url: string, customer: string) => {
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          ...{ authorization: 'Bearer sk-test-key', 'content-type': 'application/json' },
          'x-nexus-customer': customer,
        },
        body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hello' }] }),
      });
      await answer.text();
      expect(answer.status).toBe(200);
    };
    const both = (count: number) =>
      Array.from({ length: count }, () => [
        call(living.url, 'living'),
        call(dying.url ?? '', 'dying'),
      ]).flat();
    await Promise.all(both(20));
    await until(async () => (await byCustomer(living)).get('dying') === 20, UNTIL_CLAIMED);
    const outcomes = Promise.allSettled(both(30));
    await until(() => simulator.usageServed().answers >= 45, PATIENT);
    await dying.stop('SIGKILL');
    const answered = (await outcomes).filter(({ status }) => status === 'fulfilled').length;
    await until(async () => (await byCustomer(living)).get('living') === 50, UNTIL_CLAIMED);
    await until(async () => (await redis.client.xlen('{nexus}:ledger')) === 0, UNTIL_CLAIMED);
    const requests = await byCustomer(living);
    expect(requests.get('living')).toBe(50);
    // Those that it was answering when it died have none: nobody has settled them.
    expect(requests.get('dying')).toBeGreaterThanOrEqual(20);
    expect(requests.get('dying')).toBeLessThanOrEqual(50);
    expect(answered).toBeGreaterThanOrEqual(30);
  }, 150_000);
});

describe.skipIf(noRedis ?? noPostgres)('a ledger that instances share in PostgreSQL', () => {
  it('goes on while PostgreSQL is away, and has every record when it is back', async () => {
    const [redis, simulator, postgres] = [await ownRedis(), await upstream(), await startPostgres()];
    onTestFinished(() => postgres.close());
    const settings = `redis_url: ${redis.url}\nledger: { postgres_url: "${postgres.url}" }\n${SETTINGS}${ADMIN}`;
    const instances = await Promise.all([1, 2].map(() => startInFrontOf(simulator.url, settings)));
    const [first, other] = instances;
    if (!first || !other) throw new Error('There are none');
    const calls = async (count: number) => {
      for (const answer of await Promise.all(
        Array.from({ length: count }, (_, index) => (index % 2 === 0 ? first : other).chat()),
      )) {
        expect(answer.status).toBe(200);
        await answer.text();
      }
    };
    await calls(10);
    await until(async () => (await totals(first)).requests === 10, PATIENT);
    await postgres.process.stop('SIGQUIT');
    await calls(10);
    await until(
      () => [first, other].some((one) => one.logText().includes('ledger cannot be written')),
      PATIENT,
    );
    await postgres.restart();
    await until(async () => (await totals(first)).requests === 20, UNTIL_CLAIMED);
    const total = await totals(other);
    const served = simulator.usageServed();
    expect(total.input_tokens).toBe(served.reportedPromptTokens);
    expect(total.output_tokens).toBe(served.reportedCompletionTokens);
    await until(() => first.logText().includes('again') || other.logText().includes('again'), PATIENT);
  }, 150_000);
});

async function startGatewayProcess(target: string, settings: string): Promise<StartedProcess> {
  const config = join(await tempDir(), 'config.yaml');
  const own = `listen_port: 0\nlisten_host: 127.0.0.1\ntarget_url: ${target}`;
  writeFileSync(config, `${own}\n${settings}`);
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  return startProcess({
    command: process.execPath,
    args: [main, '--config', config],
    readyWhen: /"listening".*"url":"([^"]+)"|"url":"([^"]+)".*"listening"/,
    readyWithinMs: 60_000,
  });
}
