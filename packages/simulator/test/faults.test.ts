import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FAULTS, type FaultName, type Simulator, startSimulator } from '../src/index.ts';
import { at, chat, eventsOf, jsonOf, post, raw, STREAM_WITH_USAGE, usageOf } from './wire.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());
beforeEach(() => simulator.faults.clear());

const STREAM = chat(STREAM_WITH_USAGE);
const send = (
  fault: string,
  body = STREAM,
  more: Record<string, string> = {},
  until?: (text: string) => boolean,
) =>
  raw(
    simulator.port,
    body,
    { 'x-simulate-fault': fault, authorization: 'Bearer sk-canary-0123456789', ...more },
    until,
  );
const bodyOf = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4);
const pieces = (text: string) => text.match(/"delta":\{"content":"[^"]{4}"\}/g)?.length ?? 0;
const texts = async (fault: FaultName, body = STREAM) =>
  (await post(simulator.url, '/v1/chat/completions', body, { 'x-simulate-fault': fault })).text();

describe('faults of the connection', () => {
  it('reset-before ends it without a byte', async () => {
    expect(await send('reset-before')).toEqual({ text: '', reads: [], end: 'reset' });
  });

  it('reset-midstream tells the chosen number of chunks, then resets', async () => {
    const { text, end } = await send('reset-midstream', STREAM, { 'x-simulate-after-chunks': '5' });
    expect([pieces(text), end]).toEqual([5, 'reset']);
    expect(text).not.toContain('[DONE]');
  });

  it('reset-midstream cuts a whole answer in half', async () => {
    const { text, end } = await send('reset-midstream', chat());
    const promised = Number(/content-length: (\d+)/.exec(text)?.[1]);
    expect([bodyOf(text).length, end]).toEqual([promised >> 1, 'reset']);
  });

  it.each([STREAM, chat()])(
    'reset-midbody promises more than comes and ends without a reset',
    async (body) => {
      const { text, end } = await send('reset-midbody', body);
      expect(Number(/content-length: (\d+)/.exec(text)?.[1])).toBeGreaterThan(bodyOf(text).length + 900_000);
      expect(end).toBe('fin');
    },
  );

  it('stall-before takes the request and answers nothing', async () => {
    const own = await startSimulator();
    own.faults.next('stall-before');
    const stalled = raw(own.port, STREAM, {});
    await expect.poll(() => own.requests[0]?.body.length).toBe(STREAM.length);
    // A later request is answered while the first still waits.
    expect((await post(own.url, '/v1/chat/completions', chat())).status).toBe(200);
    await own.close();
    expect((await stalled).text).toBe('');
  });

  it('stall-midstream stops and stays open', async () => {
    const { text, end } = await send('stall-midstream', STREAM, {}, (soFar) => pieces(soFar) === 3);
    expect([pieces(text), end]).toEqual([3, 'open']);
  });

  it('stall-heartbeat goes on with nothing but comments', async () => {
    const { text } = await send(
      'stall-heartbeat',
      STREAM,
      {},
      (soFar) => soFar.split(': keep-alive').length > 3,
    );
    expect(pieces(text)).toBe(3);
  });
});

describe('faults that are no proper HTTP', () => {
  it.each<[FaultName, RegExp]>([
    ['status-000', /^HTTP\/1\.1 000 \r\n/],
    ['status-101', /^HTTP\/1\.1 101 /],
    ['bad-status-line', /^ICY /],
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the fault
    ['control-in-reason', /^HTTP\/1\.1 200 O\x01K\x7f\r\n/],
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the fault
    ['bad-header-bytes', /x-odd: a\x01b\x80\xff\r\n/],
    ['trailer-with-length', /trailer: x-checksum\r\n[\s\S]*content-length: 63\r\n\r\n\{/],
    ['length-and-chunked', /content-length: 63\r\ntransfer-encoding: chunked\r\n\r\n3f\r\n/],
    ['bad-chunk-size', /\r\n\r\nzz\r\n/],
    ['informational-flood', /^(HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\n){1000}HTTP\/1\.1 200/],
    ['giant-headers', /x-giant: g{262144}\r\n/],
    ['many-headers', /\r\nx-2999: 2999\r\n/],
  ])('%s is on the wire as it says', async (fault, wire) => {
    const { text, end } = await send(fault);
    expect(wire.test(text)).toBe(true);
    expect(end).toBe('fin');
  });
});

describe('faults of the answer', () => {
  it.each<[FaultName, number, string | null, string | null]>([
    ['error-429', 429, 'rate_limit_exceeded', '1'],
    ['error-429-quota', 429, 'insufficient_quota', null],
    ['error-500', 500, null, null],
    ['error-503', 503, 'server_is_overloaded', '1'],
    ['echo-key', 401, 'invalid_api_key', null],
  ])('%s answers %i with the code %s', async (fault, status, code, retryAfter) => {
    const response = await post(simulator.url, '/v1/chat/completions', chat(), { 'x-simulate-fault': fault });
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBe(retryAfter);
    expect(at(await jsonOf(response), 'error', 'code')).toBe(code);
  });

  it('error-429 says the wait in its headers and its message alike', async () => {
    simulator.faults.next({ name: 'error-429', retryAfterMs: 1_500 });
    const response = await post(simulator.url, '/v1/chat/completions', chat());
    expect(response.headers.get('retry-after')).toBe('2');
    expect(response.headers.get('retry-after-ms')).toBe('1500');
    expect(response.headers.get('x-should-retry')).toBe('true');
    const message = String(at(await jsonOf(response), 'error', 'message'));
    const [, limit, used, requested] =
      /Limit (\d+), Used (\d+), Requested (\d+)\. Please try again in 1\.5s\./.exec(message) ?? [];
    expect(((Number(used) + Number(requested) - Number(limit)) / Number(limit)) * 60_000).toBe(1_500);
    expect(response.headers.get('x-ratelimit-remaining-tokens')).toBe(`${Number(limit) - Number(used)}`);
  });

  it('error-529 has Anthropic’s body', async () => {
    const response = await post(simulator.url, '/v1/messages', chat(), { 'x-simulate-fault': 'error-529' });
    expect([response.status, at(await jsonOf(response), 'error', 'type')]).toEqual([529, 'overloaded_error']);
  });

  it('echo-key quotes the whole credential', async () => {
    const headers = { 'x-simulate-fault': 'echo-key', authorization: 'Bearer sk-canary-0123456789' };
    const response = await post(simulator.url, '/v1/chat/completions', chat(), headers);
    expect(await response.text()).toContain('sk-canary-0123456789');
  });

  it('redirect-302 points elsewhere', async () => {
    const headers = { 'x-simulate-fault': 'redirect-302', 'x-simulate-location': 'http://127.0.0.1:1/x' };
    const response = await post(simulator.url, '/v1/chat/completions', chat(), headers);
    expect([response.status, response.headers.get('location')]).toEqual([302, 'http://127.0.0.1:1/x']);
  });

  it('empty-body and wrong-content-type are 200 all the same', async () => {
    expect(await texts('empty-body', chat())).toBe('');
    expect(await texts('wrong-content-type', chat())).toContain('<h1>');
  });

  it.each([STREAM, chat()])('gzip comes although nobody asked', async (body) => {
    const head = { 'x-simulate-fault': 'gzip', 'accept-encoding': 'identity' };
    const plain = await (await post(simulator.url, '/v1/chat/completions', body)).text();
    const packed = await post(simulator.url, '/v1/chat/completions', body, head);
    expect(packed.headers.get('content-encoding')).toBe('gzip');
    expect(await packed.text()).toBe(plain);
  });

  it('gzip-bomb is small on the wire', async () => {
    const until = (text: string) =>
      bodyOf(text).length >= Number(/content-length: (\d+)/.exec(text)?.[1] ?? Infinity);
    const { text } = await send('gzip-bomb', chat(), {}, until);
    const body = Buffer.from(bodyOf(text), 'latin1');
    expect(body.length).toBeLessThan(100_000);
    expect(gunzipSync(body).length).toBeGreaterThan(32_000_000);
  });

  it('huge is 20 MB whose usage fits, whole or in one event', async () => {
    const whole = await texts('huge', chat());
    expect(whole.length).toBeGreaterThan(20 * 1024 * 1024);
    expect(usageOf(JSON.parse(whole)).completion_tokens).toBe(5 * 1024 * 1024);
    const events = eventsOf(await texts('huge'));
    expect(events).toHaveLength(5);
    expect(String(at(events[1], 'choices', 0, 'delta', 'content'))).toHaveLength(20 * 1024 * 1024);
  });
});

describe('faults of usage', () => {
  it('no-usage leaves it out', async () => {
    expect(await texts('no-usage')).not.toContain('usage');
    expect(JSON.parse(await texts('no-usage', chat()))).not.toHaveProperty('usage');
  });

  it('usage-twice tells a smaller one first', async () => {
    const events = eventsOf(await texts('usage-twice'));
    expect(events.slice(-3, -1).map((event) => usageOf(event).completion_tokens)).toEqual([8, 16]);
    expect((await texts('usage-twice', chat())).match(/"usage":/g)).toHaveLength(2);
  });

  it('usage-after-done tells it when all seems over', async () => {
    const events = eventsOf(await texts('usage-after-done'));
    expect(events.at(-2)).toBe('[DONE]');
    expect(usageOf(events.at(-1)).completion_tokens).toBe(16);
  });

  it.each<[FaultName, string]>([
    ['usage-negative', '"prompt_tokens":-9,'],
    ['usage-nan', '"prompt_tokens":NaN,'],
    ['usage-infinite', '"prompt_tokens":1e999,'],
    ['usage-text', '"prompt_tokens":"8",'],
  ])('%s writes %s, and no sum counts it as reported', async (fault, wire) => {
    const before = simulator.usageServed();
    expect(await texts(fault)).toContain(wire);
    expect(await texts(fault, chat())).toContain(wire);
    const now = simulator.usageServed();
    expect(now.answers).toBe(before.answers + 2);
    expect(now.reportedPromptTokens).toBe(before.reportedPromptTokens);
  });

  it('the other APIs lose or repeat their usage as well', async () => {
    const ask = async (path: string, body: object, fault: string) =>
      (
        await post(simulator.url, path, JSON.stringify(body), {
          'x-simulate-fault': fault,
          'anthropic-version': '1',
        })
      ).text();
    const responses = { model: 'o3', input: 'Hello', stream: true };
    expect(await ask('/v1/responses', responses, 'no-usage')).not.toContain('"usage":{');
    expect((await ask('/v1/responses', responses, 'usage-twice')).match(/"usage":\{/g)).toHaveLength(2);
    const messages = { model: 'c', max_tokens: 9, messages: [], stream: true };
    expect(await ask('/v1/messages', messages, 'no-usage')).not.toContain('usage');
    expect(await ask('/v1/messages', messages, 'usage-after-done')).toMatch(
      /message_stop"\}\n\n.*\n.*"usage":\{"output_tokens":9\}\}\n\n$/,
    );
  });
});

describe('faults of delivery', () => {
  it('malformed-sse has broken JSON, half an event and no end', async () => {
    const events = eventsOf(await texts('malformed-sse'));
    expect(events.filter((event) => typeof event === 'string').length).toBeGreaterThan(1);
    expect(events).not.toContain('[DONE]');
  });

  it('malformed-sse makes a whole answer broken JSON of the promised length', async () => {
    const text = await texts('malformed-sse', chat());
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
  });

  it('no-done ends cleanly after everything else', async () => {
    expect(`${await texts('no-done')}data: [DONE]\n\n`).toBe(
      await (await post(simulator.url, '/v1/chat/completions', STREAM)).text(),
    );
  });

  it.each([
    ['/v1/chat/completions', STREAM, /data: \{"error":\{[^\n]*\}\}\n\n$/],
    [
      '/v1/responses',
      '{"model":"m","input":"x","stream":true}',
      /event: error\n[^\n]*"sequence_number":7,[^\n]*\n\n$/,
    ],
    [
      '/v1/messages',
      '{"model":"m","max_tokens":9,"messages":[],"stream":true}',
      /event: error\n[^\n]*overloaded_error[^\n]*\n\n$/,
    ],
  ])('error-midstream on %s ends in an error event after some text', async (path, body, end) => {
    const headers = {
      'x-simulate-fault': 'error-midstream',
      'anthropic-version': '1',
      'x-simulate-after-chunks': '3',
    };
    const text = await (await post(simulator.url, path, body, headers)).text();
    expect(text).toMatch(end);
  });

  it('heartbeat and crlf-events change nothing but the framing', async () => {
    const plain = await (await post(simulator.url, '/v1/chat/completions', STREAM)).text();
    const beating = await texts('heartbeat');
    expect(beating.replaceAll(': keep-alive\n\n', '')).toBe(plain);
    expect(beating.length).toBeGreaterThan(plain.length);
    const crlf = await texts('crlf-events');
    expect(crlf.replaceAll('\r\n', '\n')).toBe(plain);
    expect(crlf.replaceAll('\r\n', '')).not.toContain('\n');
  });

  it('slow sends single bytes', async () => {
    const { text, reads } = await send('slow', chat(), {}, (soFar) => bodyOf(soFar).length > 40);
    expect(reads.length).toBeGreaterThan(20);
    expect(text).toContain('HTTP/1.1 200 OK');
  });

  it('half-events cuts characters, and the whole is sound', async () => {
    const { text } = await send('half-events', STREAM, {}, (soFar) => soFar.endsWith('0\r\n\r\n'));
    const chunks = bodyOf(text).split(/\r\n[0-9a-f]+\r\n/);
    const isCut = (chunk: string) => Buffer.from(chunk, 'latin1').toString('utf8').includes('�');
    expect(chunks.filter(isCut).length).toBeGreaterThan(3);
    const events = eventsOf(await texts('half-events'));
    expect(at(events[1], 'choices', 0, 'delta', 'content')).toBe('🙂é⇒');
    expect(events.at(-1)).toBe('[DONE]');
  });

  it.each([STREAM, chat()])('close-delimited ends with the connection', async (body) => {
    const { text, end } = await send('close-delimited', body);
    expect(text).not.toMatch(/content-length|transfer-encoding/i);
    expect(bodyOf(text)).toBe(await (await post(simulator.url, '/v1/chat/completions', body)).text());
    expect(end).toBe('fin');
  });
});

describe('the plan of faults', () => {
  it('goes through what is next, then what is always, until it is cleared', async () => {
    const status = async (headers: Record<string, string> = {}) =>
      (await post(simulator.url, '/v1/chat/completions', chat(), headers)).status;
    simulator.faults.next('error-500', 2);
    simulator.faults.next('error-503');
    simulator.faults.always('error-529');
    expect(await status({ 'x-simulate-fault': 'none' })).toBe(200);
    expect([await status(), await status(), await status(), await status(), await status()]).toEqual([
      500, 500, 503, 529, 529,
    ]);
    simulator.faults.clear();
    expect(await status()).toBe(200);
  });

  it.each(Object.keys(FAULTS))('%s leaves a simulator that answers the next request', async (fault) => {
    const until = (text: string) => text.length > 1_200;
    const ended =
      fault === 'stall-before' ? Promise.resolve() : send(fault, STREAM, { connection: 'close' }, until);
    await ended;
    expect((await post(simulator.url, '/v1/chat/completions', chat())).status).toBe(200);
  });
});
