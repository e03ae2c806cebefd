import { createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { listen } from '../../src/server.ts';
import { requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

const SETTINGS = `
prices:
  gpt-image-1: { input_usd_per_million: 5, output_usd_per_million: 10, image_output_usd_per_million: 40 }
  dall-e-3: { usd_per_call: 0.04 }
  tts-1: { usd_per_call: 0.015 }
  text-rerank: { input_usd_per_million: 100 }
limits: { usd_per_day: 10 }
teams:
  bound: { models: ["gpt-4o*", "gpt-image-1", "omni-moderation-*"] }
keys:
  - { id: bound, key: sk-bound, team: bound }
  - { id: free, key: sk-free }
models:
  dall-e-*: { limits: { requests_per_day: 2 } }
`;

type Running = Awaited<ReturnType<typeof startInFrontOf>>;

function call(running: Running, path: string, body: unknown, key = 'sk-free'): Promise<Response> {
  return fetch(`${running.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function codeOf(answer: Response): Promise<unknown> {
  const { error }: { error: { code: unknown } } = JSON.parse(await answer.text());
  return error.code;
}

/** A gateway before an upstream that answers as the test says, once it has the whole request. */
async function startBefore(answer: RequestListener, settings = SETTINGS): Promise<Running> {
  const server = createServer((req, res) => {
    req.resume();
    req.once('end', () => answer(req, res));
  });
  const { port } = await listen(server, 0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return startInFrontOf(`http://127.0.0.1:${port}`, settings);
}

async function usedUsd(running: Running, key = 'sk-free'): Promise<number | undefined> {
  const own = await fetch(`${running.url}/nexus/limits`, { headers: { authorization: `Bearer ${key}` } });
  const { buckets }: { buckets: { limit: string; used: number }[] } = JSON.parse(await own.text());
  return buckets.find(({ limit }) => limit.endsWith('/usd_per_day'))?.used;
}

const digest = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex');

describe('A list of models', () => {
  it.each([
    ['/v1/images/generations', { model: 'dall-e-3', prompt: 'x' }],
    ['/v1/audio/speech', { model: 'tts-1', input: 'x', voice: 'alloy' }],
    ['/v1/moderations', { model: 'text-moderation-latest', input: 'x' }],
    ['/v1/rerank', { model: 'text-rerank', query: 'x', documents: ['y'] }],
    ['/v1/images/generations', { prompt: 'x' }],
    ['/v1/images/generations', { model: ['gpt-image-1'], prompt: 'x' }],
    ['/v1/audio/speech', { input: 'x' }],
    ['/v1/moderations', { model: 7, input: 'x' }],
    ['/v1/chat/completions', { messages: [] }],
    ['/v1/responses', { prompt: { id: 'pmpt_stored' } }],
    ['/openai/deployments/gpt-5/chat/completions?api-version=1', { messages: [] }],
    ['/openai/deployments/gpt-5/chat/completions', { model: 'gpt-4o', messages: [] }],
    ['/OpenAI/deploy%6Dents/gpt-5/chat/completions', { model: 'gpt-4o', messages: [] }],
    ['/openai/deployments/whisper/audio/transcriptions', 'unread'],
    ['/v1/chat/completions?model=gpt-5', { model: 'gpt-4o', messages: [] }],
    ['/v1/IMAGES/gener%61tions/', { model: 'dall-e-3', prompt: 'x' }],
  ])('binds %s %j: a 404, and nothing is sent', async (path, body) => {
    const running = await startWithSimulator(SETTINGS);
    const refused = await call(running, path, body, 'sk-bound');
    expect(refused.status).toBe(404);
    expect(await codeOf(refused)).toBe('model_not_found');
    expect(running.simulator.hits()).toBe(0);
  });

  it('lets what it names pass, a moderation that names no model as one of the default', async () => {
    const running = await startWithSimulator(SETTINGS);
    const image = await call(
      running,
      '/v1/images/generations',
      { model: 'gpt-image-1', prompt: 'x' },
      'sk-bound',
    );
    const moderation = await call(running, '/v1/moderations', { input: ['x', 'y'] }, 'sk-bound');
    expect([image.status, moderation.status]).toEqual([200, 200]);
    expect((await call(running, '/v1/images/generations', { prompt: 'x' })).status).toBe(200);
    const lines = await requestLines(running, 3);
    expect(lines.map(({ model }) => model)).toEqual(['gpt-image-1', 'omni-moderation-latest', undefined]);
  });

  it('holds for Azure’s deployments by their names, in the path alone', async () => {
    const running = await startWithSimulator(SETTINGS);
    const answer = await call(
      running,
      '/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21',
      { messages: [{ role: 'user', content: 'Hello' }] },
      'sk-bound',
    );
    expect(answer.status).toBe(200);
    expect(await requestLines(running, 1)).toMatchObject([{ model: 'gpt-4o-eu' }]);
  });

  it.each([
    ['/v1/realtime?model=gpt-4o-realtime', 101],
    ['/v1/realtime?model=gpt-realtime', 404],
    ['/v1/realtime?model=gpt-4o-realtime&model=gpt-realtime', 404],
    ['/v1/realtime', 404],
    ['/openai/realtime?deployment=gpt-4o-mine', 101],
    ['/openai/realtime?deployment=gpt-5', 404],
  ])('holds for the WebSocket %s: %i', async (path, status) => {
    const running = await startWithSimulator(SETTINGS);
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}${path}`, {
      headers: { authorization: 'Bearer sk-bound' },
    });
    const got = await new Promise((resolve) => {
      socket.on('error', () => {});
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_req, res) => resolve(res.statusCode));
    });
    expect(got).toBe(status);
    socket.terminate();
  });

  it('leaves what is not JSON to nobody: a 400, and nothing is sent', async () => {
    const running = await startWithSimulator(SETTINGS);
    for (const path of ['/v1/images/generations', '/v1/audio/speech', '/v1/moderations', '/v1/rerank'])
      for (const body of ['model=dall-e-3&prompt=x', '', '[]']) {
        const refused = await call(running, path, body, 'sk-bound');
        expect([path, refused.status, await codeOf(refused)]).toEqual([path, 400, 'invalid_body']);
      }
    expect(running.simulator.hits()).toBe(0);
  });
});

describe('Images', () => {
  it('are charged by the tokens that the upstream reports, of images, and logged with their model', async () => {
    const running = await startWithSimulator(SETTINGS);
    const answer = await call(running, '/v1/images/generations', {
      model: 'gpt-image-1',
      prompt: 'A fox',
      n: 2,
    });
    const { usage, data } = JSON.parse(await answer.text());
    expect(data).toHaveLength(2);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({
      model: 'gpt-image-1',
      input_tokens: usage.input_tokens,
      output_tokens: 544,
      usage_source: 'reported',
    });
    const usd = (usage.input_tokens * 5 + 544 * 40) / 1e6;
    expect(Number(line?.cost_usd)).toBeCloseTo(usd, 9);
    expect(answer.headers.get('x-nexus-cost')).toBe(line?.cost_usd);
    await until(async () => Math.abs(((await usedUsd(running)) ?? 0) - usd) < 1e-9);
  });

  it('without a usage cost what is said of each call, and their model is limited', async () => {
    const running = await startWithSimulator(SETTINGS);
    running.simulator.faults.always('no-usage');
    const paint = () => call(running, '/v1/images/generations', { model: 'dall-e-3', prompt: 'A fox' });
    for (const answer of [await paint(), await paint()]) {
      expect(answer.status).toBe(200);
      await answer.text();
    }
    const refused = await paint();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('x-nexus-limit')).toBe('model:dall-e-*/requests_per_day');
    const lines = await requestLines(running, 3);
    expect(lines.map(({ cost_usd, output_tokens }) => [cost_usd, output_tokens])).toEqual([
      ['0.04', 0],
      ['0.04', 0],
      [undefined, undefined],
    ]);
    await until(async () => Math.abs(((await usedUsd(running)) ?? 0) - 0.08) < 1e-9);
  });

  it('of megabytes pass byte for byte, and their usage is read', async () => {
    const usage = { input_tokens: 9, output_tokens: 4160, total_tokens: 4169 };
    const body = Buffer.from(
      JSON.stringify({ data: [{ b64_json: Buffer.alloc(6_000_000, 'nexus').toString('base64') }], usage }),
    );
    const running = await startBefore((_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(body);
    });
    const answer = await call(running, '/v1/images/generations', { model: 'gpt-image-1', prompt: 'A fox' });
    expect(digest(new Uint8Array(await answer.arrayBuffer()))).toBe(digest(body));
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ input_tokens: 9, output_tokens: 4160, usage_source: 'reported' });
  });

  it('stream event by event, and the last one says what was used', async () => {
    const partial = `event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"${'A'.repeat(400_000)}"}\n\n`;
    const last = `event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"${'B'.repeat(400_000)}","usage":{"input_tokens":9,"output_tokens":372,"total_tokens":381}}\n\n`;
    let goOn = () => {};
    const running = await startBefore((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(partial);
      goOn = () => res.end(last);
    });
    const body = { model: 'gpt-image-1', prompt: 'A fox', stream: true, partial_images: 1 };
    const answer = await call(running, '/v1/images/generations', body);
    const reader = answer.body?.getReader();
    let text = '';
    for (;;) {
      const next = await reader?.read();
      if (!next || next.done) break;
      text += Buffer.from(next.value).toString('latin1');
      // The upstream has said no more than this when the client has all of it.
      if (text.length === partial.length) goOn();
    }
    expect(text === partial + last).toBe(true);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ output_tokens: 372, usage_source: 'reported', stream: true });
    expect(Number(line?.cost_usd)).toBeCloseTo((9 * 5 + 372 * 40) / 1e6, 9);
  });

  it('hold what the dearest tokens could cost: a strict budget is never overspent, however many come at once', async () => {
    // 128,000 image tokens at $40 a million are $5.12: one fits into $10, two don't.
    const running = await startWithSimulator(`reserve: strict\n${SETTINGS}`);
    const paint = (more: object) =>
      call(running, '/v1/images/generations', { model: 'gpt-image-1', prompt: 'A fox', ...more });
    const tooMany = await paint({ n: 2, max_tokens: 1, max_output_tokens: 1 });
    expect([tooMany.status, await codeOf(tooMany)]).toEqual([429, 'insufficient_quota']);
    running.simulator.faults.next('stall-before');
    const first = new AbortController();
    const stalled = fetch(`${running.url}/v1/images/generations`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-free' },
      body: '{"model":"gpt-image-1","prompt":"A fox"}',
      signal: first.signal,
    }).catch(() => undefined);
    await until(() => running.simulator.hits() === 1);
    expect((await paint({})).status).toBe(429);
    first.abort();
    await stalled;
    await until(async () => ((await usedUsd(running)) ?? 10) < 1);
    expect((await paint({})).status).toBe(200);
  });
});

describe('Speech', () => {
  it('passes as the audio it is, chunk by chunk, and costs its input and its call', async () => {
    const chunk = Buffer.alloc(50_000, '{"usage":{"output_tokens":5}}\xff');
    let goOn = () => {};
    const running = await startBefore((_req, res) => {
      res.writeHead(200, { 'content-type': 'audio/mpeg' });
      res.write(chunk);
      goOn = () => res.end(chunk);
    });
    const answer = await call(running, '/v1/audio/speech', {
      model: 'tts-1',
      input: 'Hello, world!',
      voice: 'alloy',
    });
    const reader = answer.body?.getReader();
    const seen: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const next = await reader?.read();
      if (!next || next.done) break;
      seen.push(next.value);
      bytes += next.value.length;
      if (bytes === chunk.length) goOn();
    }
    expect(digest(Buffer.concat(seen))).toBe(digest(Buffer.concat([chunk, chunk])));
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({
      model: 'tts-1',
      output_tokens: 0,
      estimated_output_tokens: 0,
      cost_usd: '0.015',
    });
    expect(Number(line?.input_tokens)).toBeGreaterThanOrEqual(4);
  });

  it('is charged what its stream of events reports', async () => {
    const events = `data: {"type":"speech.audio.delta","audio":"AAAA"}\n\ndata: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}\n\n`;
    const running = await startBefore((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.end(events);
    });
    const body = { model: 'gpt-4o-mini-tts', input: 'Hello, world!', voice: 'alloy', stream_format: 'sse' };
    expect(await (await call(running, '/v1/audio/speech', body)).text()).toBe(events);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ input_tokens: 14, output_tokens: 101, usage_source: 'reported' });
    expect(line?.estimated_output_tokens).toBe(1_000);
  });
});

describe('Moderations and reranks', () => {
  it('count what they read, and hold nothing for an answer, also where all of it is to be held', async () => {
    const running = await startBefore(
      (_req, res) => res.writeHead(200, { 'content-type': 'application/json' }).end('{"results":[]}'),
      `reserve: strict\n${SETTINGS}`,
    );
    const rerank = {
      model: 'text-rerank',
      query: 'Hello, world!',
      documents: ['Hello, world!', { text: 'Hello, world!' }],
    };
    for (const [path, body] of [
      ['/v1/moderations', { input: 'Hello, world!' }],
      ['/v2/rerank', rerank],
    ] as const)
      expect((await call(running, path, body)).status).toBe(200);
    const lines = await requestLines(running, 2);
    expect(lines).toMatchObject([
      { model: 'omni-moderation-latest', output_tokens: 0, estimated_output_tokens: 0 },
      { model: 'text-rerank', output_tokens: 0, estimated_output_tokens: 0 },
    ]);
    // How many they are depends on whether they could be counted in time.
    for (const { input_tokens } of lines) expect(Number(input_tokens)).toBeGreaterThanOrEqual(4);
    expect(Number(lines[1]?.cost_usd)).toBeCloseTo(Number(lines[1]?.input_tokens) / 10_000, 9);
  });

  it('of more than `body_limit` are a 413, while an upload of that size passes', async () => {
    const running = await startWithSimulator(`body_limit: 10KB\n${SETTINGS}`);
    const input = 'x '.repeat(6_000);
    const refused = await call(running, '/v1/moderations', { input });
    expect([refused.status, await codeOf(refused)]).toEqual([413, 'body_too_large']);
    expect((await call(running, '/v1/responses/input_tokens', { input })).status).toBe(200);
  });
});
