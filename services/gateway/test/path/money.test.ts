import { until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';

/** A model whose sums can be done in the head: a cent for a thousand tokens in, two for a thousand out. */
const PRICES = 'prices: { plain: { input_usd_per_million: 10, output_usd_per_million: 20 } }\n';

type Running = Awaited<ReturnType<typeof startWithSimulator>>;

const ask = (running: Running, body: Record<string, unknown> = {}) =>
  running.chat({ model: 'plain', max_tokens: 100, ...body });

interface Bucket {
  readonly limit: string;
  readonly used: number;
}

async function spent(running: Running): Promise<number> {
  const answer = await fetch(`${running.url}/nexus/limits`, {
    headers: { authorization: 'Bearer sk-test-key' },
  });
  const { buckets }: { buckets: Bucket[] } = JSON.parse(await answer.text());
  return buckets.find(({ limit }) => limit.endsWith('usd_per_day'))?.used ?? Number.NaN;
}

const dollars = (usage: { prompt_tokens: number; completion_tokens: number }) =>
  (usage.prompt_tokens * 10 + usage.completion_tokens * 20) / 1e6;

describe('a budget', () => {
  it('is charged what each call cost, to the nano-dollar, and the log says it', async () => {
    const running = await startWithSimulator(`${PRICES}limits: { usd_per_day: 1 }`);
    const answers = await Promise.all([ask(running), ask(running), ask(running)]);
    let sum = 0;
    for (const answer of answers) sum += dollars(JSON.parse(await answer.text()).usage);
    const stream = await (
      await ask(running, { stream: true, stream_options: { include_usage: true } })
    ).text();
    const usage: unknown = /"usage":(\{"prompt_tokens".*?\})[,}]/.exec(stream)?.[1];
    expect(usage).toBeDefined();
    const lines = await requestLines(running, 4);
    const logged = lines.reduce((total, line) => total + Math.round(Number(line.cost_usd) * 1e9), 0) / 1e9;
    expect(lines.every((line) => typeof line.cost_usd === 'string')).toBe(true);
    expect(logged).toBeGreaterThan(sum);
    expect(await spent(running)).toBeCloseTo(logged, 9);
  });

  it('that is spent answers as a spent quota, whatever comes at once, and never lets more through than it holds', async () => {
    const running = await startWithSimulator(`${PRICES}reserve: strict\nlimits: { usd_per_day: 0.01 }`);
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(running)));
    const passed = answers.filter(({ status }) => status === 200);
    expect(passed.length).toBeGreaterThan(2);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(30 - passed.length);
    expect(await spent(running)).toBeLessThanOrEqual(0.01);
    let refused = await ask(running, { max_tokens: 500 });
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-should-retry')).toBe('false');
    expect(refused.headers.get('retry-after')).toBeNull();
    expect(refused.headers.get('x-nexus-limit')).toMatch(/^key:.*\/usd_per_day$/);
    const { error } = JSON.parse(await refused.text());
    expect(error).toMatchObject({ type: 'insufficient_quota', code: 'insufficient_quota' });
    expect(error.message).toMatch(/US dollars per day: Limit \$0\.01, Used \$0\.00\d+, Requested \$0\.01\d*/);
    refused = await ask(running, { max_tokens: 100_000 });
    expect((await refused.text()).includes('more than all of it')).toBe(true);
  });

  it('is given back what a failed call had reserved', async () => {
    const running = await startWithSimulator(`${PRICES}limits: { usd_per_day: 1 }`);
    const failed = await running.chat({ model: 'plain' }, { 'x-simulate-fault': 'error-500' });
    expect(failed.status).toBe(500);
    await requestLines(running, 1);
    await until(async () => (await spent(running)) === 0, { withinMs: 15_000 });
  });

  it('is freed at once by raising it', async () => {
    const running = await startWithSimulator(`${PRICES}reserve: strict\nlimits: { usd_per_day: 0.003 }`);
    while ((await ask(running)).status === 200);
    running.configure((text) => text.replace('usd_per_day: 0.003', 'usd_per_day: 0.03'));
    await until(() => running.log.some(({ message }) => message === 'configuration changed'), {
      withinMs: 15_000,
    });
    expect((await ask(running)).status).toBe(200);
  });
});

describe('a budget that is spent', () => {
  const UNREAD = [
    ['POST', '/v1/images/edits'],
    ['POST', '/v1/audio/transcriptions'],
    ['POST', '/v1/files'],
    ['POST', '/v1/batches'],
    ['POST', '/v1/fine_tuning/jobs'],
    ['POST', '/v1/threads/t1/runs'],
    ['PUT', '/v1/uploads/u1'],
    ['POST', '/anything/else'],
  ] as const;

  it('refuses whatever may cost, also what is not read and what has no price; looking stays free', async () => {
    const running = await startWithSimulator(`${PRICES}limits: { usd_per_day: 0.03 }`);
    const headers = { authorization: 'Bearer sk-test-key', 'content-type': 'application/octet-stream' };
    const send = ([method, path]: readonly [string, string]) =>
      fetch(`${running.url}${path}`, { method, headers, body: 'x' });
    for (const unread of UNREAD) expect((await send(unread)).headers.get('x-nexus-source')).not.toBe('nexus');
    // Its answer is longer than was reserved, and costs more than the budget has.
    expect((await running.chat({ model: 'plain' }, { 'x-simulate-tokens': '2000' })).status).toBe(200);
    await until(async () => (await spent(running)) > 0.03, { withinMs: 15_000 });
    const hits = running.simulator.hits();
    for (const unread of UNREAD) {
      const answer = await send(unread);
      expect(answer.status).toBe(429);
      expect(JSON.parse(await answer.text())).toMatchObject({ error: { code: 'insufficient_quota' } });
    }
    expect((await ask(running, { model: 'nobody-knows-it' })).status).toBe(429);
    expect(running.simulator.hits()).toBe(hits);
    expect((await fetch(`${running.url}/v1/models`, { headers })).status).toBe(200);
  });
});

/** What a client is told of its costs, and what the log has. */
async function told(running: Running, body: Record<string, unknown>, headers: Record<string, string> = {}) {
  const before = running.log.filter((line) => 'request_id' in line).length;
  const answer = await running.chat({ model: 'plain', max_tokens: 100, ...body }, headers);
  const text = await answer.text();
  const lines = await requestLines(running, before + 1);
  return { header: answer.headers.get('x-nexus-cost'), text, logged: lines.at(-1)?.cost_usd };
}

describe('what a call cost', () => {
  it('stands in the head of an answer that leaves whole, in US dollars as the log has it', async () => {
    const running = await startWithSimulator(PRICES);
    const { header, text, logged } = await told(running, {});
    expect(header).toMatch(/^0\.00\d+$/);
    expect(header).toBe(logged);
    expect(Number(header)).toBeCloseTo(dollars(JSON.parse(text).usage), 12);
    expect((await told(running, {}, { 'x-nexus-cost': 'comment' })).header).toBe(header);
  });

  it('is a comment behind the last event of a stream whose client asks for it, and of no other', async () => {
    const running = await startWithSimulator(PRICES);
    const silent = await told(running, { stream: true });
    expect(silent.header).toBeNull();
    expect(silent.text.endsWith('data: [DONE]\n\n')).toBe(true);
    const { header, text, logged } = await told(running, { stream: true }, { 'x-nexus-cost': 'comment' });
    expect(header).toBeNull();
    expect(text.endsWith(`data: [DONE]\n\n: x-nexus-cost ${logged}\n\n`)).toBe(true);
    const sent = running.simulator.requests.flatMap(({ headers }) =>
      headers.map(([name]) => name.toLowerCase()),
    );
    expect(sent).toContain('authorization');
    expect(sent).not.toContain('x-nexus-cost');
  });

  it('is told by nobody else, and not where it is not known or nothing was charged', async () => {
    const running = await startWithSimulator(PRICES);
    expect((await told(running, { model: 'nobody-knows-it' })).header).toBeNull();
    const failed = await told(running, {}, { 'x-simulate-fault': 'error-500', 'x-nexus-cost': 'comment' });
    expect([failed.header, failed.logged]).toEqual([null, undefined]);
    const wrong = await told(
      running,
      { stream: true },
      { 'x-simulate-fault': 'error-400', 'x-nexus-cost': 'comment' },
    );
    expect(() => JSON.parse(wrong.text)).not.toThrow();
  });
});

describe('a model without a price', () => {
  it('costs nothing and is counted in tokens, unless it is said', async () => {
    const running = await startWithSimulator(`${PRICES}limits: { usd_per_day: 0.000001 }`);
    expect((await ask(running, { model: 'nobody-knows-it' })).status).toBe(200);
    expect((await ask(running)).status).toBe(429);
    const [line] = await requestLines(running, 1);
    expect(line).not.toHaveProperty('cost_usd');
  });

  it('may not be called where a budget holds, if it is refused; elsewhere it may', async () => {
    const refusing = await startWithSimulator(`${PRICES}unknown_model: refuse\nlimits: { usd_per_day: 1 }`);
    const refused = await ask(refusing, { model: 'nobody-knows-it' });
    expect(refused.status).toBe(400);
    expect(JSON.parse(await refused.text())).toMatchObject({ error: { code: 'model_not_priced' } });
    expect(refusing.simulator.hits()).toBe(0);
    const free = await startWithSimulator(`${PRICES}unknown_model: refuse`);
    expect((await ask(free, { model: 'nobody-knows-it' })).status).toBe(200);
  });

  it('costs what another costs, if that is assumed', async () => {
    const running = await startWithSimulator(
      `${PRICES}unknown_model: assume:plain\nlimits: { usd_per_day: 1 }`,
    );
    const answer = await ask(running, { model: 'nobody-knows-it' });
    const cost = dollars(JSON.parse(await answer.text()).usage);
    await until(async () => Math.abs((await spent(running)) - cost) < 1e-9, { withinMs: 15_000 });
  });
});
