import { createServer } from 'node:http';
import { until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { jsonObject } from '../faults/wire.ts';
import { type RunningGateway, requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

const PATIENT = { withinMs: 20_000, everyMs: 50 };
const PRICES =
  'prices: { plain: { input_usd_per_million: 10, cached_input_usd_per_million: 1, output_usd_per_million: 20, reasoning_usd_per_million: 40 } }\n';
const TOKEN = 'token-of-who-may-read';
const BOOKS = `${PRICES}ledger: {}\nadmin: { listen: '127.0.0.1:0', tokens: [{ id: me, token: ${TOKEN}, scopes: [read] }] }\n`;

/** What has used a budget of the day, in nano-dollars: spent and held. */
async function usedNanoUsd({ url }: RunningGateway): Promise<number> {
  const answer = await fetch(`${url}/nexus/limits`, { headers: { authorization: 'Bearer sk-test-key' } });
  const { buckets }: { buckets: { limit: string; used: number }[] } = JSON.parse(await answer.text());
  const budget = buckets.find(({ limit }) => limit.endsWith('/usd_per_day'));
  if (budget === undefined) throw new Error('No budget.');
  return Math.round(budget.used * 1e9);
}

/** What the ledger has of all requests: how many, and what they cost. */
async function onRecord({ gateway }: RunningGateway): Promise<{ requests: number; nanoUsd: number }> {
  const answer = await fetch(`${gateway.adminUrl}/admin/v1/usage?by=tenant`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const { rows } = jsonObject(await answer.text());
  const [row]: readonly unknown[] = Array.isArray(rows) ? rows : [];
  const {
    requests = 0,
    given_back: back = 0,
    cost_usd: cost = 0,
  } = row === undefined ? {} : jsonObject(JSON.stringify(row));
  return { requests: Number(requests) + Number(back), nanoUsd: Math.round(Number(cost) * 1e9) };
}

const ENDS = [
  ...[
    'none',
    'none',
    'error-500',
    'error-429',
    'error-503',
    'reset-before',
    'reset-midstream',
    'reset-midbody',
  ],
  ...[
    'status-000',
    'bad-chunk-size',
    'empty-body',
    'no-usage',
    'usage-negative',
    'usage-twice',
    'malformed-sse',
  ],
  ...['error-midstream', 'wrong-content-type', 'close-delimited', 'gzip'],
];

const KEEPERS = ['memory', 'Redis'] as const;

describe.each(KEEPERS)('a budget in %s', (keeper) => {
  it.skipIf(keeper === 'Redis' && noRedis)(
    'holds nothing once all calls are over, and was charged what is on record, however they ended',
    { timeout: 60_000 },
    async () => {
      const redis = keeper === 'Redis' ? await startRedis() : undefined;
      onTestFinished(async () => {
        redis?.client.disconnect();
        await redis?.process.stop();
      });
      const shared = redis ? `redis_url: ${redis.url}\nredis: { command_timeout: 2s }\n` : '';
      const running = await startWithSimulator(`${BOOKS}${shared}limits: { usd_per_day: 1000 }`, {
        outputTokens: 60,
      });
      let sent = 0;
      let left = 0;
      const send = async (fault: string, stream: boolean, leaves: boolean) => {
        sent += 1;
        const body = { model: 'plain', max_tokens: 5_000, stream };
        const pace = leaves ? { 'x-simulate-tokens-per-second': '100' } : {};
        const answer = await running
          .chat(body, { 'x-simulate-fault': fault, ...pace })
          .catch(() => undefined);
        if (!leaves) return void (await answer?.text().catch(() => undefined));
        const reader = answer?.body?.getReader();
        await reader?.read();
        await reader?.cancel();
        left += 1;
      };
      const all = ENDS.flatMap((fault) => [send(fault, true, false), send(fault, false, false)]);
      await Promise.all([...all, ...Array.from({ length: 10 }, () => send('none', true, true))]);
      await until(async () => (await onRecord(running)).requests === sent, PATIENT);
      expect(left).toBe(10);
      const { nanoUsd } = await onRecord(running);
      expect(nanoUsd).toBeGreaterThan(0);
      await until(async () => (await usedNanoUsd(running)) <= nanoUsd, PATIENT);
      expect(await usedNanoUsd(running)).toBe(nanoUsd);
    },
  );
});

describe('a budget', () => {
  it('is paid from by a client that leaves in the middle of a stream: its prompt and what was streamed', async () => {
    const running = await startWithSimulator(`${BOOKS}limits: { usd_per_day: 1 }`, { outputTokens: 4_000 });
    const answer = await running.chat(
      { model: 'plain', stream: true },
      { 'x-simulate-tokens-per-second': '200' },
    );
    const reader = answer.body?.getReader();
    let events = 0;
    while (events < 20) {
      const { value } = (await reader?.read()) ?? {};
      events += new TextDecoder().decode(value).split('data: ').length - 1;
    }
    await reader?.cancel();
    await until(async () => (await onRecord(running)).requests === 1, PATIENT);
    // The first event says who speaks; each of the others is a token.
    const least = 5 * 10_000 + 18 * 20_000;
    expect(await usedNanoUsd(running)).toBeGreaterThanOrEqual(least);
    expect(await usedNanoUsd(running)).toBeLessThan(8 * 10_000 + 4_000 * 20_000);
  });

  it('is not filled by calls that state far longer answers than they get', async () => {
    const running = await startWithSimulator(`${BOOKS}limits: { usd_per_day: 0.05 }`);
    const ask = () => running.chat({ model: 'plain', max_tokens: 32_000 });
    // What five answers needed is known; all of what is stated would be $0.64 a call.
    for (let calls = 0; calls < 5; calls += 1) expect((await ask()).status).toBe(200);
    await until(async () => (await onRecord(running)).requests === 5, PATIENT);
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });

  it('is not charged an estimate where the upstream says that nothing was used', async () => {
    const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
    const message = { role: 'assistant', content: 'A cached answer of some length.' };
    const server = createServer((req, res) => {
      req.resume().on('end', () => {
        res.setHeader('content-type', 'application/json');
        res.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }], usage }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const running = await startInFrontOf(`http://127.0.0.1:${port}`, `${PRICES}limits: { usd_per_day: 1 }`);
    expect((await running.chat({ model: 'plain' })).status).toBe(200);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ usage_source: 'reported', cost_usd: '0.00' });
    await until(async () => (await usedNanoUsd(running)) === 0, PATIENT);
  });

  it('is charged cached input and reasoning at prices of their own, in streams as in other answers', async () => {
    const running = await startWithSimulator(`${BOOKS}limits: { usd_per_day: 1 }`);
    const steer = {
      'x-simulate-tokens': '50',
      'x-simulate-cached-tokens': '5',
      'x-simulate-reasoning-tokens': '7',
    };
    for (const stream of [false, true]) await (await running.chat({ model: 'plain', stream }, steer)).text();
    const lines = await requestLines(running, 2);
    const each = 3 * 10_000 + 5 * 1_000 + 50 * 20_000 + 7 * 40_000;
    expect(lines.map((line) => Math.round(Number(line.cost_usd) * 1e9))).toEqual([each, each]);
    await until(async () => (await usedNanoUsd(running)) === 2 * each, PATIENT);
  });

  it('goes on at the prices that hold where a new one is misspelt, and takes it once it is right', async () => {
    const running = await startWithSimulator(`${BOOKS}limits: { usd_per_day: 1 }`);
    const said = (message: string) => running.log.filter((line) => line.message === message).length;
    const costs = async () => {
      const before = running.log.filter((line) => 'request_id' in line).length;
      const answer = await running.chat({ model: 'plain' }, { 'x-simulate-tokens': '100' });
      expect(answer.status).toBe(200);
      await answer.text();
      const [line] = (await requestLines(running, before + 1)).slice(before);
      return Math.round(Number(line?.cost_usd) * 1e9);
    };
    expect(await costs()).toBe(8 * 10_000 + 100 * 20_000);
    running.configure((text) => text.replace('output_usd_per_million: 20', 'output_usd_per_milion: 30'));
    await until(() => said('configuration refused') === 1, PATIENT);
    expect(await costs()).toBe(8 * 10_000 + 100 * 20_000);
    running.configure((text) => text.replace('milion: 30', 'million: 30'));
    await until(() => said('configuration changed') === 1, PATIENT);
    expect(await costs()).toBe(8 * 10_000 + 100 * 30_000);
  });
});
