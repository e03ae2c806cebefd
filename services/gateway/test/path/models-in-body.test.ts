import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../../src/server.ts';
import { type RunningGateway, requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';

const SETTINGS = `
prices:
  gpt-4o-transcribe: { input_usd_per_million: 6, output_usd_per_million: 10 }
  gpt-image-1: { input_usd_per_million: 5, output_usd_per_million: 10, image_output_usd_per_million: 40 }
  dall-e-2: { usd_per_call: 0.02 }
limits: { usd_per_day: 10 }
teams:
  bound: { models: ["gpt-4o*", "dall-e-2"] }
keys:
  - { id: bound, key: sk-bound, team: bound }
  - { id: free, key: sk-free }
`;

/** What an upstream got of one request. */
interface Received {
  readonly path: string;
  bytes: number;
  /** It has all of it; only then does it answer. */
  isWhole: boolean;
}

interface Before extends RunningGateway {
  readonly received: Received[];
}

/** A gateway before an upstream that answers once it has the whole request. */
async function startBefore(
  answer: (req: IncomingMessage, res: ServerResponse) => void,
  settings = SETTINGS,
): Promise<Before> {
  const received: Received[] = [];
  const server = createServer((req, res) => {
    const one = { path: req.url ?? '', bytes: 0, isWhole: false };
    received.push(one);
    req.on('error', () => {});
    req.on('data', (chunk: Buffer) => {
      one.bytes += chunk.length;
    });
    req.once('end', () => {
      one.isWhole = true;
      answer(req, res);
    });
  });
  const { port } = await listen(server, 0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(await startInFrontOf(`http://127.0.0.1:${port}`, settings), { received });
}

const ok = (_req: IncomingMessage, res: ServerResponse) =>
  void res.writeHead(200, { 'content-type': 'application/json' }).end('{}');

function formOf(model: string | undefined, fileBytes = 10): FormData {
  const form = new FormData();
  form.append('file', new Blob([Buffer.alloc(fileBytes, 'RIFF')]), 'a.wav');
  if (model !== undefined) form.append('model', model);
  return form;
}

type Body = FormData | string;

function post(
  running: RunningGateway,
  path: string,
  body: Body,
  key = 'sk-bound',
  headers = {},
): Promise<Response> {
  const type = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
  return fetch(`${running.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...type, ...headers },
    body,
  });
}

async function errorOf(answer: Response): Promise<{ code?: string; type: string; message: string }> {
  const { error }: { error: { code?: string; type: string; message: string } } = JSON.parse(
    await answer.text(),
  );
  return error;
}

const EDITS = '/v1/images/edits';
const MULTIPART = 'multipart/form-data; boundary=b';
const field = (name: string, value: string) =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

describe('A list of models binds a body that passes unread', () => {
  it.each([
    ['/v1/audio/transcriptions', formOf('whisper-1')],
    ['/v1/audio/translations/', formOf('whisper-1')],
    [EDITS, formOf('gpt-image-1')],
    ['/V1/images/vari%61tions', formOf('gpt-image-1')],
    ['/v1/videos', formOf('sora-2')],
    ['/v1/videos', '{"model":"sora-2","prompt":"x"}'],
    [EDITS, '{"model":"gpt-image-1","prompt":"x"}'],
    ['/v1/threads/runs', '{"thread":{},"model":"gpt-5"}'],
    ['/v1/assistants', '{"name":"x","model":"gpt-5"}'],
    ['/v1/realtime/client_secrets', '{"session":{"type":"realtime","model":"gpt-realtime"}}'],
    [
      '/v1/messages/batches',
      '{"requests":[{"custom_id":"a","params":{"model":"claude-opus-4","max_tokens":1}}]}',
    ],
    ['/v1beta/models/gemini-2.5-pro:generateContent', '{"contents":[]}'],
    ['/v1beta/models/gemini-2.5-pro%3AstreamGenerateContent?alt=sse', '{"contents":[]}'],
    ['/v1/anything/new;x=1', '{"mod\\u0065l":"gpt-5"}'],
  ])('POST %s %o: a 404, and the upstream never has the whole of it', async (path, body) => {
    const running = await startBefore(ok);
    const refused = await post(running, path, body);
    expect(refused.status).toBe(404);
    const { code, type } = await errorOf(refused);
    expect(code ?? type).toBe(path.endsWith('messages/batches') ? 'not_found_error' : 'model_not_found');
    expect(running.received.some(({ isWhole }) => isWhole)).toBe(false);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ status: 404, error_code: 'model_not_found', key_id: 'bound' });
    expect(line?.error).toBeUndefined();
    // It costs nothing, not even the request.
    expect((await post(running, EDITS, formOf('dall-e-2'))).status).toBe(200);
  });

  it.each([
    ['/v1/audio/transcriptions', formOf('gpt-4o-transcribe')],
    [EDITS, '{"model":"gpt-4o","prompt":"x"}'],
    ['/v1/threads/runs', '{"thread":{},"model":"gpt-4o"}'],
    ['/v1beta/models/gpt-4o-by-google:generateContent', '{"contents":[]}'],
    ['/v1/vector_stores', '{"name":"x"}'],
    ['/v1/files', formOf(undefined)],
    ['/openai/deployments/gpt-4o-eu/audio/transcriptions', formOf(undefined)],
    ['/openai/deployments/gpt-4o-eu/images/edits', formOf('gpt-image-1')],
  ])('and lets POST %s %o pass', async (path, body) => {
    const running = await startBefore(ok);
    expect((await post(running, path, body)).status).toBe(200);
    expect(running.received).toMatchObject([{ isWhole: true }]);
  });

  it('wherever its name stands, in megabytes, chunked or of a stated length', async () => {
    const running = await startBefore(ok);
    const bytes = new Uint8Array(await new Response(formOf('gpt-image-1', 3_000_000)).arrayBuffer());
    const type = `multipart/form-data; boundary=${Buffer.from(bytes.subarray(2, 80)).toString('latin1').split('\r\n')[0]}`;
    for (const length of [undefined, bytes.length]) {
      const status = await new Promise((resolve, reject) => {
        const call = request(`${running.url}${EDITS}`, {
          method: 'POST',
          headers: { authorization: 'Bearer sk-bound', 'content-type': type },
        });
        if (length !== undefined) call.setHeader('content-length', length);
        call.once('response', (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        call.once('error', reject);
        call.end(bytes);
      });
      expect(status).toBe(404);
    }
    expect(running.received.some(({ isWhole }) => isWhole)).toBe(false);
  });

  it('and one that names none where its call runs a model: a 404 that says so', async () => {
    const running = await startBefore(ok);
    const decoys = ['{"metadata":{"model":"gpt-4o"}}', '{"Model":"gpt-4o"}', '{"model":null}'];
    for (const body of [formOf(undefined), '{"prompt":"x"}', '', ...decoys]) {
      const refused = await post(running, `${EDITS};x=1?model=gpt-4o`, body);
      expect([refused.status, (await errorOf(refused)).message]).toEqual([
        404,
        expect.stringContaining('Name the `model`'),
      ]);
    }
    expect((await post(running, EDITS, formOf(undefined), 'sk-free')).status).toBe(200);
    expect(running.received.filter(({ isWhole }) => isWhole)).toHaveLength(1);
  });

  it.each([
    ['a form without an end', `${field('model', 'dall-e-2')}--b`],
    [
      'a part with two names',
      `--b\r\nContent-Disposition: form-data; name="x"; name="model"\r\n\r\ngpt-5\r\n--b--`,
    ],
    [
      'a boundary behind LF',
      `${field('model', 'dall-e-2')}${field('x', '1\n--b\nContent-Disposition: form-data; name="model"\n\ngpt-5')}--b--`,
    ],
    [
      'a charset',
      `${field('+AG0AbwBkAGUAbA-', 'gpt-5')}${field('model', 'dall-e-2')}--b--`,
      '; charset=utf-7',
    ],
    ['something behind the end', `${field('model', 'dall-e-2')}--b--\r\n${field('model', 'gpt-5')}--b--\r\n`],
  ])('and one that leaves it in doubt, %s: a 400, and nothing is run', async (_what, body, more = '') => {
    const running = await startBefore(ok);
    const headers = { 'content-type': `${MULTIPART}${more}` };
    const refused = await post(running, EDITS, body, 'sk-bound', headers);
    expect([refused.status, (await errorOf(refused)).code]).toEqual([400, 'invalid_body']);
    expect(running.received.some(({ isWhole }) => isWhole)).toBe(false);
    expect((await post(running, EDITS, body, 'sk-free', { 'content-type': MULTIPART })).status).toBe(200);
  });

  it('in metered calls too, whatever the query names', async () => {
    const running = await startBefore(ok);
    for (const path of ['/v1/embeddings?model=gpt-4o', '/v1/images/generations?deployment=gpt-4o'])
      expect((await post(running, path, '{"input":"x"}')).status).toBe(404);
    expect(running.received).toEqual([]);
  });

  it('and what nobody reads as JSON: a 400 where it may name a model, else it passes', async () => {
    const running = await startBefore(ok);
    const type = (name: string) => ({ 'content-type': name });
    const coded = type('application/x-www-form-urlencoded');
    for (const [path, body, headers] of [
      ['/v1/anything', 'model=gpt-5', coded],
      [EDITS, 'a="model":"gpt-4o"&model=gpt-5', coded],
      ['/v1/anything', '{"mod+AGU-l":"gpt-5"}', type('application/json; charset=utf-7')],
      ['/v1/anything', `{"model":"gpt-5${' '.repeat(2_000)}"}`, {}],
      [EDITS, 'RIFF', type('audio/wav')],
    ] as const)
      expect((await post(running, path, body, 'sk-bound', headers)).status).toBe(400);
    expect(running.received.some(({ isWhole }) => isWhole)).toBe(false);
    const film = '\0\0\0\x18ftypmp42';
    expect((await post(running, '/upload/files', film, 'sk-bound', type('video/mp4'))).status).toBe(200);
  });

  it('before a server that needn’t wait for the end of the body can answer', async () => {
    const running = await startBefore(ok);
    const body = (text: string) =>
      new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(text)) });
    for (const [type, text] of [
      [MULTIPART, `${field('prompt', 'x')}--b--`],
      ['application/json', '{"prompt":"x"}'],
    ] as const) {
      const answer = await fetch(`${running.url}${EDITS}`, {
        method: 'POST',
        headers: { authorization: 'Bearer sk-bound', 'content-type': type },
        body: body(text),
        duplex: 'half',
      });
      expect(answer.status).toBe(404);
    }
    expect(running.received.every(({ bytes }) => bytes === 0)).toBe(true);
  });

  it('whatever the method', async () => {
    const running = await startBefore(ok);
    const headers = { authorization: 'Bearer sk-bound', 'content-type': 'application/json' };
    const put = { method: 'PUT', headers, body: '{"model":"gpt-5"}' };
    expect((await fetch(`${running.url}/v1/anything`, put)).status).toBe(404);
  });

  it('and one that is compressed: a 415', async () => {
    const running = await startBefore(ok);
    const refused = await post(running, '/v1/anything', '{}', 'sk-bound', { 'content-encoding': 'gzip' });
    expect([refused.status, (await errorOf(refused)).code]).toEqual([415, 'unsupported_encoding']);
    expect(running.received).toEqual([]);
  });

  it('without blaming the upstream: its breaker stays closed', async () => {
    const before = await startBefore(ok);
    const upstreams = `upstreams: [{ name: one, target_url: "${before.url}" }]`;
    const running = await startInFrontOf(undefined, `${SETTINGS}\n${upstreams}`);
    for (let i = 0; i < 30; i++) expect((await post(running, EDITS, formOf('gpt-image-1'))).status).toBe(404);
    expect((await post(running, EDITS, formOf('dall-e-2'))).status).toBe(200);
  });
});

describe('The model of a body that passes unread', () => {
  it('is logged, and what the answer reports is charged at its price', async () => {
    const running = await startWithSimulator(SETTINGS);
    const answer = await post(
      running,
      '/v1/audio/transcriptions',
      formOf('gpt-4o-transcribe', 50_000),
      'sk-free',
    );
    const { usage } = JSON.parse(await answer.text());
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ model: 'gpt-4o-transcribe', input_tokens: 50, usage_source: 'reported' });
    expect(Number(line?.cost_usd)).toBeCloseTo((50 * 6 + usage.output_tokens * 10) / 1e6, 9);
  });

  it('prices an edited image by its tokens, or by the call where the answer reports none', async () => {
    let body = '{"data":[],"usage":{"input_tokens":300,"output_tokens":272,"total_tokens":572}}';
    const running = await startBefore((_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' }).end(body);
    });
    await (await post(running, EDITS, formOf('gpt-image-1'), 'sk-free')).text();
    body = '{"data":[]}';
    await (await post(running, EDITS, formOf('dall-e-2'))).text();
    const lines = await requestLines(running, 2);
    expect(lines.map(({ model, cost_usd }) => [model, cost_usd])).toEqual([
      ['gpt-image-1', String((300 * 5 + 272 * 40) / 1e6)],
      ['dall-e-2', '0.02'],
    ]);
    await until(async () => {
      const own = await fetch(`${running.url}/nexus/limits`, {
        headers: { authorization: 'Bearer sk-bound' },
      });
      const { buckets }: { buckets: { limit: string; used: number }[] } = JSON.parse(await own.text());
      return buckets.find(({ limit }) => limit.endsWith('/usd_per_day'))?.used === 0.02;
    });
  });

  it('counts for its limits where the URL names it', async () => {
    const models = 'models: { whisper-eu: { limits: { requests_per_day: 1 } } }';
    const running = await startBefore(ok, `${SETTINGS}\n${models}`);
    const hear = (deployment: string) =>
      post(running, `/openai/deployments/${deployment}/audio/transcriptions`, formOf(undefined), 'sk-free');
    expect((await hear('whisper-eu')).status).toBe(200);
    const refused = await hear('whisper-eu');
    expect(refused.headers.get('x-nexus-limit')).toBe('model:whisper-eu/requests_per_day');
    expect((await hear('whisper-us')).status).toBe(200);
  });

  it('is named once, or nobody knows what it costs: a 400, whoever calls', async () => {
    const running = await startBefore(ok);
    for (const body of [
      `${field('model', 'dall-e-2')}${field('model', 'gpt-image-1')}--b--`,
      `--b\r\nContent-Disposition: form-data; name="model"; filename="a"\r\n\r\ndall-e-2\r\n${field('model', 'gpt-image-1')}--b--`,
    ]) {
      const refused = await post(running, EDITS, body, 'sk-free', { 'content-type': MULTIPART });
      expect([refused.status, (await errorOf(refused)).message]).toEqual([
        400,
        expect.stringContaining('more than once'),
      ]);
    }
    const nested = '{"metadata":{"model":"dall-e-2"},"model":"gpt-image-1"}';
    await (await post(running, `${EDITS}?model=dall-e-2`, nested, 'sk-free')).text();
    expect((await requestLines(running, 3)).at(-1)).toMatchObject({ model: 'gpt-image-1' });
  });

  it('leaves an answer to be paid for that came before the end of a body that may not pass', async () => {
    const usage = '{"usage":{"input_tokens":300,"output_tokens":272,"total_tokens":572}}';
    const server = createServer((req, res) => {
      req.on('error', () => {});
      req.once('data', () => {
        res.writeHead(200, { 'content-type': 'application/json' });
        res.write(usage);
      });
    });
    const { port } = await listen(server, 0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const running = await startInFrontOf(`http://127.0.0.1:${port}`, SETTINGS);
    let more = (_text: string) => {};
    const body = new ReadableStream({
      start: (controller) => {
        more = (text) => controller.enqueue(Buffer.from(text));
      },
    });
    more(field('model', 'gpt-image-1'));
    more('--b\r\n');
    const answer = await fetch(`${running.url}${EDITS}`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk-free', 'content-type': MULTIPART },
      body,
      duplex: 'half',
    });
    const reader = answer.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(usage);
    more(`${field('model', 'dall-e-2').slice('--b\r\n'.length)}--b--`);
    await expect(reader?.read()).rejects.toThrow();
    const [line] = await requestLines(running, 1);
    expect(Number(line?.cost_usd)).toBeCloseTo((300 * 5 + 272 * 40) / 1e6, 9);
  });

  it('spends a budget: the next call is refused', async () => {
    const running = await startBefore(ok, SETTINGS.replace('usd_per_day: 10', 'usd_per_day: 0.02'));
    expect((await post(running, EDITS, formOf('dall-e-2'))).status).toBe(200);
    await until(async () => (await post(running, EDITS, formOf('dall-e-2'))).status === 429);
    expect(running.received.filter(({ isWhole }) => isWhole)).toHaveLength(1);
  });
});
