import { gzipSync } from 'node:zlib';
import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ADMIN, errorIn, nothingOpen, rawPost, usedBy } from '../faults/wire.ts';
import { requestLines, startWithSimulator } from '../running-gateway.ts';
import { MESSAGES, postChat } from './chat-text.ts';

const LIMITS = `${ADMIN}limits: { requests_per_minute: 1000, model_tokens_per_minute: 100000 }`;

describe('A body that tries to be cheaper than it is', () => {
  it.each([
    ['max_tokens twice', `{"model":"m",${MESSAGES},"max_tokens":1,"max_tokens":9000}`],
    ['max_tokens twice, once escaped', `{"model":"m",${MESSAGES},"max_tokens":1,"max\\u005ftokens":9000}`],
    ['n twice', `{"model":"m",${MESSAGES},"n":1,"n":99}`],
    ['model twice', `{"model":"cheap","model":"dear",${MESSAGES}}`],
    ['messages twice', `{"model":"m","messages":[],${MESSAGES}}`],
    ['stream twice', `{"model":"m",${MESSAGES},"stream":false,"stream":true}`],
    [
      'stream_options twice',
      `{"model":"m",${MESSAGES},"stream":true,"stream_options":{"include_usage":true},"stream_options":null}`,
    ],
    [
      'max_completion_tokens twice',
      `{"model":"m",${MESSAGES},"max_completion_tokens":1,"max_completion_tokens":9000}`,
    ],
    ['no JSON', 'model=m&max_tokens=1'],
    ['JSON and more', `{"model":"m",${MESSAGES}} {"max_tokens":9000}`],
    ['an array', `[{"model":"m",${MESSAGES}}]`],
    ['a text', '"{}"'],
    ['null', 'null'],
    ['nothing', ''],
    ['NaN', `{"model":"m",${MESSAGES},"max_tokens":NaN}`],
    ['UTF-16', Buffer.from(`{"model":"m",${MESSAGES}}`, 'utf16le').toString('latin1')],
  ])('by %s is a 400 and goes nowhere', async (name, body) => {
    const running = await startWithSimulator(LIMITS);
    const { text } = await rawRequest(running.port, rawPost('/v1/chat/completions', body), { until: /\}$/ });
    expect([name, text.slice(0, 12)]).toEqual([name, 'HTTP/1.1 400']);
    const error = errorIn(text.slice(text.indexOf('\r\n\r\n') + 4));
    expect(error).toMatchObject({ code: 'invalid_body', type: 'invalid_request_error' });
    expect(running.simulator.hits()).toBe(0);
    await nothingOpen(running);
    expect((await usedBy(running)).get('requests_per_minute')).toBe(0);
  });

  it.each([
    ['the larger of two maxima', { max_tokens: 1, max_completion_tokens: 5_000 }],
    ['the larger of three maxima', { max_tokens: 5_000, max_completion_tokens: 1, max_output_tokens: 2 }],
    ['every choice', { max_tokens: 500, n: 10 }],
  ])('is held for %s', async (_what, more) => {
    const running = await startWithSimulator(
      `${ADMIN}reserve: strict\nlimits: { model_tokens_per_minute: 4000, requests_per_minute: 1000 }`,
    );
    const answer = await running.chat(more);
    expect(answer.status).toBe(429);
    expect(String(errorIn(await answer.text()).message)).toMatch(/Requested 50\d\d/);
    expect(running.simulator.hits()).toBe(0);
  });

  it.each([
    { max_tokens: -1 },
    { max_tokens: -1e300 },
    { max_tokens: 1e300 },
    { max_tokens: 1.5 },
    { max_tokens: '10' },
    { max_tokens: [1] },
    { max_tokens: { a: 1 } },
    { max_tokens: null },
    { max_tokens: true },
    { max_tokens: 9_007_199_254_740_992 },
    { n: -5 },
    { n: 1e9 },
    { n: 0 },
    { n: '3' },
    { n: 0.1 },
    { messages: 'x' },
    { messages: [null, 1, [], { content: [null, { type: 'text' }, 7] }] },
    { messages: { length: 1e9 } },
    { model: 7 },
    { model: '__proto__' },
    { model: 'x'.repeat(100_000) },
    { stream: 'yes' },
    { stream: 1 },
    { stream: true, stream_options: 'x' },
    { stream: true, stream_options: [] },
    { stream: true, stream_options: { include_usage: 'no' } },
    { tools: 'x' },
    { tools: [{ function: null }] },
  ])('gains nothing and breaks nothing: %j', async (more) => {
    const running = await startWithSimulator(LIMITS);
    const before = await usedBy(running);
    const answer = await running.chat(more);
    await answer.text();
    expect([200, 400, 429]).toContain(answer.status);
    await nothingOpen(running);
    const used = await usedBy(running);
    for (const [limit, amount] of used) {
      expect(Number.isInteger(amount)).toBe(true);
      expect(amount).toBeGreaterThanOrEqual(before.get(limit) ?? 0);
    }
    const [line] = await requestLines(running, 1);
    expect(line?.status).not.toBe(500);
    expect(JSON.stringify(line)).not.toContain('null');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])(
    'is metered whatever its type says: %j',
    async (type) => {
      const running = await startWithSimulator(`${ADMIN}limits: { input_tokens_per_minute: 3 }`);
      const answer = await postChat(running.url, `{"model":"m",${MESSAGES}}`, { 'content-type': type });
      expect(answer.status).toBe(429);
    },
  );

  it.each(['gzip', 'deflate', 'br', 'GZIP', 'gzip, identity', 'x-unknown', 'zstd'])(
    'and is encoded as %s is a 415 on a metered call',
    async (coding) => {
      const running = await startWithSimulator(LIMITS);
      const body = new Uint8Array(gzipSync(`{"model":"m",${MESSAGES}}`));
      const answer = await postChat(running.url, body, { 'content-encoding': coding });
      expect(answer.status).toBe(415);
      expect(errorIn(await answer.text()).code).toBe('unsupported_encoding');
      expect(running.simulator.hits()).toBe(0);
      await nothingOpen(running);
    },
  );

  it('and is encoded passes where it is not metered', async () => {
    const running = await startWithSimulator(LIMITS);
    const body = new Uint8Array(gzipSync('hello'));
    const answer = await fetch(`${running.url}/v1/unknown`, {
      method: 'POST',
      headers: { authorization: 'Bearer k', 'content-encoding': 'gzip' },
      body,
    });
    expect(answer.status).toBe(404);
    expect(running.simulator.requests[0]?.body.equals(Buffer.from(body))).toBe(true);
  });
});
