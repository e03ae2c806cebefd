import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startWithSimulator } from '../running-gateway.ts';

const PATIENT = { withinMs: 15_000 };
const PRICES = 'prices: { plain: { usd_per_call: 1 } }\n';

interface Post {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/hidden-path`;
}

/** A receiver of alerts that answers with the statuses given, then 204. */
async function receiver(...statuses: number[]) {
  const posts: Post[] = [];
  const url = await listening((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    req.on('end', () => {
      posts.push({ headers: req.headers, body });
      res.writeHead(statuses.shift() ?? 204, { location: '/elsewhere' }).end();
    });
  });
  return { posts, url };
}

type Running = Awaited<ReturnType<typeof startWithSimulator>>;
const told = (running: Running) =>
  running.log.filter(({ message }) => message === 'budget threshold reached');
const call = (running: Running) => running.chat({ model: 'plain' });

async function spend(running: Running, calls: number): Promise<void> {
  for (let count = 0; count < calls; count += 1) {
    const answer = await call(running);
    expect(answer.status).toBe(200);
    await answer.text();
  }
}

describe('a budget that is being spent', () => {
  it('is told once at each threshold, in the log and to the webhook, signed', async () => {
    const { posts, url } = await receiver();
    const running = await startWithSimulator(
      `${PRICES}limits: { usd_per_day: 10 }\nalerts: { webhook: "${url}", secret: hidden-secret }`,
    );
    await spend(running, 4);
    expect(told(running)).toHaveLength(0);
    await spend(running, 1);
    await until(() => posts.length === 1, PATIENT);
    await spend(running, 5);
    await until(() => posts.length === 3, PATIENT);
    expect((await call(running)).status).toBe(429);
    expect(told(running).map((line) => [line.threshold_percent, line.used, line.amount])).toEqual([
      [50, '$5.00', '$10.00'],
      [80, '$8.00', '$10.00'],
      [100, '$10.00', '$10.00'],
    ]);
    const [first] = posts;
    expect(JSON.parse(first?.body ?? '')).toMatchObject({
      type: 'budget.threshold_reached',
      threshold_percent: 50,
      used: '$5.00',
    });
    const [, seconds, mac] =
      /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(first?.headers['x-nexus-signature'])) ?? [];
    const expected = createHmac('sha256', 'hidden-secret').update(`${seconds}.${first?.body}`).digest('hex');
    expect(mac).toBe(expected);
    expect(running.logText()).not.toContain('hidden');
  });

  it('is told to be spent when what is left is too little for a request, once', async () => {
    const { posts, url } = await receiver();
    const running = await startWithSimulator(
      `prices: { plain: { usd_per_call: 0.3 } }\nlimits: { usd_per_day: { limit: 1, alert_at: [100%] } }\nalerts: { webhook: "${url}" }`,
    );
    await spend(running, 3);
    for (let count = 0; count < 3; count += 1) expect((await call(running)).status).toBe(429);
    await until(() => posts.length === 1, PATIENT);
    expect(told(running).map((line) => [line.threshold_percent, line.used, line.amount])).toEqual([
      [100, '$0.90', '$1.00'],
    ]);
    expect(posts).toHaveLength(1);
  });

  it.each([
    ['much is left, and a request was just dear', 'usd_per_day: { limit: 1, alert_at: [100%] }', 1, 0.6],
    ['a request is dearer than all of it', 'usd_per_day: { limit: 0.5, alert_at: [100%] }', 0, 0.6],
    ['nobody asked to be told of 100 %', 'usd_per_day: { limit: 1, alert_at: [99%] }', 3, 0.3],
  ])('is not told to be spent where %s', async (_name, limit, calls, usd) => {
    const running = await startWithSimulator(
      `prices: { plain: { usd_per_call: ${usd} } }\nlimits: { ${limit} }`,
    );
    await spend(running, calls);
    expect((await call(running)).status).toBe(429);
    // What is told is told in the turns after the refusal; closing waits for it.
    await running.gateway.close(0);
    expect(told(running)).toEqual([]);
  });

  it('is told as Slack takes it', async () => {
    const { posts, url } = await receiver();
    const running = await startWithSimulator(
      `${PRICES}limits: { usd_per_month: { limit: 4, alert_at: [25%] } }\nalerts: { webhook: "${url}", format: slack }`,
    );
    await spend(running, 1);
    await until(() => posts.length === 1, PATIENT);
    expect(Object.keys(JSON.parse(posts[0]?.body ?? '{}'))).toEqual(['text']);
    expect(posts[0]?.body).toMatch(/25% of usd_per_month reached: \$1\.00 of \$4\.00\. It renews at /);
    expect(posts[0]?.headers['x-nexus-signature']).toBeUndefined();
  });

  it('is told again to a webhook that fails, and follows no redirect', async () => {
    const { posts, url } = await receiver(500, 302);
    const running = await startWithSimulator(
      `${PRICES}limits: { usd_per_day: { limit: 2, alert_at: [50%] } }\nalerts: { webhook: "${url}" }`,
    );
    await spend(running, 1);
    await until(() => posts.length === 3, { withinMs: 18_000 });
    expect(new Set(posts.map(({ body }) => body)).size).toBe(1);
  });

  it('holds nobody up when the webhook hangs, not even the end', async () => {
    const url = await listening(() => {});
    const running = await startWithSimulator(
      `${PRICES}limits: { usd_per_day: { limit: 2, alert_at: [50%] } }\nalerts: { webhook: "${url}" }`,
    );
    await spend(running, 1);
    await until(() => told(running).length === 1, PATIENT);
    await running.gateway.close(0);
    expect(running.logText()).not.toContain('hidden');
  });

  it('in requests or tokens is told too, where the limit says so', async () => {
    const running = await startWithSimulator(
      'limits: { requests_per_day: { limit: 4, alert_at: [50%] }, model_tokens_per_day: { limit: 100000, alert_at: [100%] } }',
    );
    for (let count = 0; count < 3; count += 1) await running.chat();
    await until(() => told(running).length === 1, PATIENT);
    expect(told(running)[0]).toMatchObject({ threshold_percent: 50, used: '2', amount: '4' });
  });

  it.skipIf(noRedis)('is told once by all instances together', async () => {
    const redis = await startRedis();
    onTestFinished(async () => {
      redis.client.disconnect();
      await redis.process.stop();
    });
    const settings = `redis_url: ${redis.url}\n${PRICES}limits: { usd_per_day: 8 }`;
    const all = await Promise.all([startWithSimulator(settings), startWithSimulator(settings)]);
    for (let count = 0; count < 8; count += 1) {
      const running = all[count % 2];
      if (running) await spend(running, 1);
    }
    await until(() => all.flatMap(told).length >= 3, PATIENT);
    const percents = all.flatMap(told).map((line) => Number(line.threshold_percent));
    expect(percents.toSorted((one, other) => one - other)).toEqual([50, 80, 100]);
  });
});
