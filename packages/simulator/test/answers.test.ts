import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countSimulatedTokens, type Simulator, startSimulator } from '../src/index.ts';
import { at, chat, jsonOf, post } from './wire.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

const call = (path: string, body: object, headers: Record<string, string> = {}) =>
  post(simulator.url, path, JSON.stringify(body), headers);

describe('chat completions', () => {
  it('tells a usage that fits the text it gives', async () => {
    const answer = await jsonOf(await post(simulator.url, '/v1/chat/completions', chat()));
    const text = at(answer, 'choices', 0, 'message', 'content');
    expect(countSimulatedTokens(String(text))).toBe(16);
    expect(answer.usage).toMatchObject({ prompt_tokens: 3 + 3 + 2, completion_tokens: 16, total_tokens: 24 });
  });

  it('gives the same bytes for the same request, and another text for another prompt', async () => {
    const first = await (await post(simulator.url, '/v1/chat/completions', chat())).text();
    expect(await (await post(simulator.url, '/chat/completions', chat())).text()).toBe(first);
    const other = chat({ messages: [{ role: 'user', content: 'Good evening' }] });
    expect(await (await post(simulator.url, '/v1/chat/completions', other)).text()).not.toBe(first);
  });

  it('carries the headers of the real API', async () => {
    const { headers } = await post(simulator.url, '/v1/chat/completions', chat());
    expect(headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
    expect(headers.get('openai-version')).toBe('2020-10-01');
    expect(Number(headers.get('openai-processing-ms'))).toBeGreaterThan(0);
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('9999');
    expect(headers.get('x-ratelimit-reset-requests')).toBe('6ms');
  });

  it.each([
    [{ max_tokens: 3 }, 3],
    [{ max_completion_tokens: 5 }, 5],
    [{ max_tokens: 1, max_completion_tokens: 7 }, 7],
  ])('stops at the limit of %j with finish_reason length', async (limit, tokens) => {
    const answer = await jsonOf(await post(simulator.url, '/v1/chat/completions', chat(limit)));
    expect(at(answer, 'usage', 'completion_tokens')).toBe(tokens);
    expect(at(answer, 'choices', 0, 'finish_reason')).toBe('length');
    expect(String(at(answer, 'choices', 0, 'message', 'content'))).toHaveLength(tokens * 4);
  });

  it('counts all of n choices', async () => {
    const answer = await jsonOf(await post(simulator.url, '/v1/chat/completions', chat({ n: 3 })));
    expect(answer.choices).toHaveLength(3);
    expect(at(answer, 'usage', 'completion_tokens')).toBe(48);
    expect(at(answer, 'choices', 2, 'index')).toBe(2);
  });

  it('calls a tool whose arguments are JSON when it must', async () => {
    const tools = [{ type: 'function', function: { name: 'find "it"' } }];
    const body = chat({ tools, tool_choice: 'required' });
    const answer = await jsonOf(await post(simulator.url, '/v1/chat/completions', body));
    const called = at(answer, 'choices', 0, 'message', 'tool_calls', 0, 'function');
    expect(at(called, 'name')).toBe('find "it"');
    expect(JSON.parse(String(at(called, 'arguments')))).toHaveProperty('query');
    expect(at(answer, 'choices', 0, 'finish_reason')).toBe('tool_calls');
  });

  it('obeys the steering headers of a request', async () => {
    const steer = {
      'x-simulate-tokens': '40',
      'x-simulate-cached-tokens': '5',
      'x-simulate-reasoning-tokens': '9',
    };
    const answer = await jsonOf(await post(simulator.url, '/v1/chat/completions', chat(), steer));
    expect(answer.usage).toMatchObject({
      completion_tokens: 49,
      prompt_tokens_details: { cached_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 9 },
    });
  });

  it.each([
    { 'x-simulate-fault': 'constructor' },
    { 'x-simulate-tokens': '-1' },
    { 'x-simulate-tokens': '1e9' },
    { 'x-simulate-latency': '5' },
  ])('refuses the steering %j and names what there is', async (headers) => {
    const response = await post(simulator.url, '/v1/chat/completions', chat(), headers);
    expect(response.status).toBe(400);
    expect(at(await jsonOf(response), 'error', 'message')).toMatch(/There (is no|are)|must be a number/);
  });
});

describe('bad requests', () => {
  it.each([
    ['{"model":', 400, /could not parse the JSON body/],
    ['[]', 400, /could not parse the JSON body/],
    ['', 400, /could not parse the JSON body/],
    ['{"messages":[]}', 400, /must provide a model/],
    ['{"model":"m"}', 400, /Missing required parameter: 'messages'/],
    ['{"model":"m","messages":[],"n":0}', 400, /integer below minimum/],
    ['{"model":"m","messages":[],"max_tokens":-5}', 400, /integer below minimum/],
    ['{"model":"m","messages":[],"max_tokens":1.5}', 400, /expected an integer/],
    ['{"model":"m","messages":[],"n":1e9}', 400, /above maximum/],
    [`{"model":"m","messages":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 500, /had an error/],
  ])('answers %.60s with the API’s own error', async (body, status, message) => {
    const response = await post(simulator.url, '/v1/chat/completions', body);
    expect(response.status).toBe(status);
    expect(at(await jsonOf(response), 'error', 'message')).toMatch(message);
  });

  it('answers unknown URLs, wrong methods and unknown models as OpenAI does', async () => {
    const unknown = await fetch(`${simulator.url}/v1/nope?x=1`);
    expect([unknown.status, at(await jsonOf(unknown), 'error', 'message')]).toEqual([
      404,
      'Invalid URL (GET /v1/nope)',
    ]);
    const method = await fetch(`${simulator.url}/v1/chat/completions`);
    expect([method.status, at(await jsonOf(method), 'error', 'code')]).toEqual([405, 'method_not_supported']);
    const model = await fetch(`${simulator.url}/v1/models/ft:x%2Fy`);
    expect([model.status, at(await jsonOf(model), 'error', 'code')]).toEqual([404, 'model_not_found']);
    expect((await fetch(`${simulator.url}/v1/models/gpt-4o`)).status).toBe(200);
  });

  it('refuses other credentials than its own with a masked key', async () => {
    const strict = await startSimulator({ apiKeys: ['sk-right'] });
    const wrong = await post(strict.url, '/v1/chat/completions', chat(), {
      authorization: 'Bearer sk-wrong-key-0123456789',
    });
    expect(wrong.status).toBe(401);
    const text = await wrong.text();
    expect(text).toContain('invalid_api_key');
    expect(text).not.toContain('sk-wrong-key-0123456789');
    const right = await post(strict.url, '/v1/chat/completions', chat(), {
      authorization: 'bearer  sk-right',
    });
    expect(right.status).toBe(200);
    expect((await fetch(`${strict.url}/v1/models`)).status).toBe(401);
    await strict.close();
  });
});

describe('the other calls', () => {
  it('completes each of several prompts, tokens too', async () => {
    const answer = await jsonOf(
      await call('/v1/completions', { model: 'm', prompt: ['abcd', 'efghi'], max_tokens: 2 }),
    );
    expect(answer.choices).toHaveLength(2);
    expect(answer.usage).toEqual({ prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 });
    const tokens = await jsonOf(await call('/v1/completions', { model: 'm', prompt: [1, 2, 3] }));
    expect(at(tokens, 'usage', 'prompt_tokens')).toBe(3);
  });

  it('embeds as floats and as base64 of the same unit vector', async () => {
    const body = { model: 'text-embedding-3-small', input: ['abcd', [5, 6]], dimensions: 8 };
    const floats = await jsonOf(await call('/v1/embeddings', body));
    const coded = await jsonOf(await call('/v1/embeddings', { ...body, encoding_format: 'base64' }));
    const vector = at(floats, 'data', 0, 'embedding');
    if (!Array.isArray(vector)) throw new Error('no vector');
    const bytes = Buffer.from(String(at(coded, 'data', 0, 'embedding')), 'base64');
    expect(bytes.length).toBe(32);
    vector.forEach((float, i) => {
      expect(bytes.readFloatLE(i * 4)).toBeCloseTo(float, 5);
    });
    expect(vector.reduce((sum, float) => sum + float * float, 0)).toBeCloseTo(1, 5);
    expect(floats.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  });

  it('responds with usage, and as incomplete when its limit cut it', async () => {
    const answer = await jsonOf(
      await call('/v1/responses', { model: 'o3', input: 'Hello', max_output_tokens: 4 }),
    );
    expect(answer.status).toBe('incomplete');
    expect(answer.usage).toMatchObject({ input_tokens: 8, output_tokens: 4, total_tokens: 12 });
  });

  it('speaks Anthropic’s messages with its headers, and asks for its version', async () => {
    const body = {
      model: 'claude',
      max_tokens: 100,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    };
    const headers = { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' };
    const response = await call('/v1/messages', body, headers);
    expect(response.headers.get('request-id')).toMatch(/^req_/);
    expect(response.headers.get('anthropic-ratelimit-input-tokens-reset')).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    );
    expect((await jsonOf(response)).usage).toMatchObject({ input_tokens: 8, output_tokens: 16 });
    const counted = await jsonOf(await call('/v1/messages/count_tokens', body, headers));
    expect(counted).toEqual({ input_tokens: 8 });
    const versionless = await call('/v1/messages', body, { 'x-api-key': 'k' });
    expect(versionless.status).toBe(400);
    expect(await jsonOf(versionless)).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error' },
    });
  });

  it('serves Azure’s paths, the deployment standing for the model', async () => {
    const path = '/openai/deployments/my%20gpt/chat/completions?api-version=2025-01-01';
    const response = await call(path, { messages: [] }, { 'api-key': 'k' });
    expect(response.headers.get('x-ratelimit-reset-tokens')).toBe('1');
    expect((await jsonOf(response)).model).toBe('my gpt');
  });

  it('keeps uploaded files byte for byte until they are deleted', async () => {
    const bytes = Buffer.from([0, 13, 10, 45, 45, 255, 13, 10, 13, 10]);
    const form = new FormData();
    form.set('purpose', 'batch');
    form.set('file', new Blob([bytes]), 'odd.bin');
    const uploaded = await jsonOf(await fetch(`${simulator.url}/v1/files`, { method: 'POST', body: form }));
    expect(uploaded).toMatchObject({ filename: 'odd.bin', bytes: 10, purpose: 'batch' });
    const place = `${simulator.url}/v1/files/${uploaded.id}`;
    expect(Buffer.from(await (await fetch(`${place}/content`)).arrayBuffer())).toEqual(bytes);
    expect(at(await jsonOf(await fetch(`${simulator.url}/v1/files`)), 'data', 0, 'id')).toBe(uploaded.id);
    expect((await fetch(place, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(place)).status).toBe(404);
  });

  it('transcribes an upload and tells its usage', async () => {
    const form = new FormData();
    form.set('model', 'gpt-4o-transcribe');
    form.set('file', new Blob([Buffer.alloc(2_500)]), 'a.wav');
    const answer = await jsonOf(
      await fetch(`${simulator.url}/v1/audio/transcriptions`, { method: 'POST', body: form }),
    );
    expect(answer.usage).toMatchObject({ type: 'tokens', input_tokens: 3, output_tokens: 16 });
  });

  it('draws, moderates and speaks', async () => {
    const images = await jsonOf(await call('/v1/images/generations', { prompt: 'A cat', n: 2 }));
    expect(images.data).toHaveLength(2);
    expect(at(images, 'usage', 'output_tokens')).toBe(544);
    const form = new FormData();
    for (const [name, value] of Object.entries({ prompt: 'A cat', model: 'gpt-image-1', n: '3' }))
      form.set(name, value);
    const edits = `${simulator.url}/v1/images/edits`;
    expect((await fetch(edits, { method: 'POST', body: form })).status).toBe(400);
    form.set('image', new Blob([Buffer.alloc(100)]), 'a.png');
    const edited = await jsonOf(await fetch(edits, { method: 'POST', body: form }));
    expect(at(edited, 'usage', 'input_tokens_details', 'image_tokens')).toBe(272);
    expect(at(edited, 'usage', 'output_tokens')).toBe(816);
    const counted = await jsonOf(await call('/v1/responses/input_tokens', { model: 'o3', input: 'Hello' }));
    expect(counted).toMatchObject({ object: 'response.input_tokens', input_tokens: expect.any(Number) });
    expect(counted.input_tokens).toBeGreaterThan(0);
    const moderated = await jsonOf(await call('/v1/moderations', { input: ['a', 'b'] }));
    expect(moderated.results).toHaveLength(2);
    const speech = await call('/v1/audio/speech', { model: 'tts-1', input: 'Hello', voice: 'x' });
    expect(speech.headers.get('content-type')).toBe('audio/mpeg');
    expect((await speech.arrayBuffer()).byteLength).toBe(2_048);
  });
});
