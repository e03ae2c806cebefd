import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { startSimulator } from '@nexus/simulator';
import { tempDir, until } from '@nexus/testkit';
import { noPostgres, startPostgres } from '@nexus/testkit/postgres-server';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type RunningGateway, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

// Longer than any wait in a test: a machine that is busy with others fails none.
vi.setConfig({ testTimeout: 60_000 });

const PATIENT = { withinMs: 20_000 };

const KEYS = `
limits: { requests_per_day: 1000000 }
teams: { search: { limits: { usd_per_month: 1000 } } }
keys: [{ id: budgeted, key: sk-test-key, team: search }, { id: free, key: sk-free }]
`;
const FREE = { authorization: 'Bearer sk-free' };

async function ledgerStatus({ url }: RunningGateway): Promise<string | undefined> {
  const text = await (await fetch(`${url}/health`)).text();
  return /"ledger":\{"status":"(\w+)"\}/.exec(text)?.[1];
}

async function status(running: RunningGateway, headers = {}): Promise<number> {
  const answer = await running.chat({}, headers);
  await answer.text();
  return answer.status;
}

describe('a gateway whose ledger can’t be written', () => {
  it('goes on until nine tenths of its room are used, then refuses what is charged to a budget, and nothing else', async () => {
    // A directory stands where the file should: it can't be opened, and can be put away.
    const path = join(await tempDir(), 'ledger.db');
    mkdirSync(path);
    const running = await startWithSimulator(`ledger: { path: ${path}, queue: 10 }\n${KEYS}
admin: { listen: 127.0.0.1:0 }`);
    for (let count = 0; count < 9; count += 1) expect(await status(running)).toBe(200);
    await until(async () => (await ledgerStatus(running)) === 'full', PATIENT);
    const refused = await running.chat();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(refused.headers.get('retry-after-ms')).toBe('1000');
    expect(JSON.parse(await refused.text())).toEqual({
      error: {
        message: 'What requests cost cannot be recorded right now.',
        type: 'server_error',
        param: null,
        code: 'ledger_unavailable',
      },
    });
    const unmetered = await fetch(`${running.url}/v1/files`, {
      headers: { authorization: 'Bearer sk-test-key' },
    });
    await unmetered.text();
    expect(unmetered.status).toBe(503);
    expect(running.simulator.hits()).toBe(9);
    for (let count = 0; count < 3; count += 1) expect(await status(running, FREE)).toBe(200);
    const inside = async () => JSON.parse(await (await fetch(`${running.gateway.adminUrl}/health`)).text());
    await until(async () => (await inside()).ledger.lost === 2, PATIENT);
    expect(await inside()).toMatchObject({ status: 'ok', ledger: { status: 'full', waiting: 10, lost: 2 } });

    rmdirSync(path);
    await until(async () => (await ledgerStatus(running)) === 'ok', PATIENT);
    expect(await status(running)).toBe(200);
    const text = await (
      await fetch(`${running.url}/nexus/limits`, { headers: { authorization: 'Bearer sk-test-key' } })
    ).text();
    // Refused requests took nothing of any limit.
    expect(text).toContain('"size":1000000,"available":999990');
  });

  it('says that it is behind before it is full, and nothing where there is no ledger', async () => {
    const path = join(await tempDir(), 'ledger.db');
    mkdirSync(path);
    const running = await startWithSimulator(`ledger: { path: ${path}, queue: 100 }\n${KEYS}`);
    expect(await ledgerStatus(running)).toBe('ok');
    expect(await status(running)).toBe(200);
    await until(async () => (await ledgerStatus(running)) === 'behind', PATIENT);
    expect(await status(running)).toBe(200);
    expect(await ledgerStatus(await startWithSimulator(KEYS))).toBeUndefined();
  });
});

describe.skipIf(noRedis ?? noPostgres)('gateways whose PostgreSQL is away', () => {
  it('refuse what is charged to a budget once the stream is nearly full, until PostgreSQL is back', {
    timeout: 120_000,
  }, async () => {
    const [redis, simulator, postgres] = [await startRedis(), await startSimulator(), await startPostgres()];
    await redis.client.connect();
    onTestFinished(async () => {
      redis.client.disconnect();
      await redis.process.stop();
      await simulator.close();
      await postgres.close();
    });
    const settings = `redis_url: ${redis.url}\nledger: { postgres_url: "${postgres.url}", queue: 20 }\n${KEYS}`;
    const [one, two] = await Promise.all([1, 2].map(() => startInFrontOf(simulator.url, settings)));
    if (!one || !two) throw new Error('There are none');
    expect([await status(one), await status(two)]).toEqual([200, 200]);
    await until(async () => (await redis.client.xlen('{nexus}:ledger')) === 0, PATIENT);
    await postgres.process.stop();
    const both = [one, two];
    await until(async () => {
      await status(one);
      return (await Promise.all(both.map(ledgerStatus))).every((each) => each === 'full');
    }, PATIENT);
    const waiting = await redis.client.xlen('{nexus}:ledger');
    expect(waiting).toBeGreaterThanOrEqual(18);
    expect([await status(one), await status(two)]).toEqual([503, 503]);
    expect([await status(one, FREE), await status(two, FREE)]).toEqual([200, 200]);
    await postgres.restart();
    for (const running of both) await until(async () => (await ledgerStatus(running)) === 'ok', PATIENT);
    for (const running of both) await until(async () => (await status(running)) === 200, PATIENT);
  });
});
