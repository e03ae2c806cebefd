import { GatewayError } from '@nexus/domain';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { readCall } from '../src/read-call.ts';
import { readRoughly } from '../src/rough-read.ts';

const bytesOf = (call: object | string) =>
  Buffer.from(typeof call === 'string' ? call : JSON.stringify(call));

describe('readRoughly', () => {
  it.each([
    {
      model: 'gpt-4o',
      stream: true,
      n: 3,
      max_tokens: 1,
      max_completion_tokens: 50,
      messages: [{ content: 'Hi' }],
    },
    { model: 'x', stream: true, stream_options: { include_usage: false } },
    { model: 7, stream: 'yes', n: -1, max_tokens: 1e99 },
    { 'mod"el': 1, messages: [{ content: '"model":"no"}]' }] },
  ])('reads the fields of %j as the exact reading does', async (call) => {
    const { inputTokens: _, inputSource, ...rough } = await readRoughly('chat', bytesOf(call));
    const { inputTokens: __, inputSource: ___, ...exact } = readCall('chat', bytesOf(call), 1e6);
    expect(rough).toEqual(exact);
    expect(inputSource).toBe('estimated');
  });

  it.each([
    ['image', { model: 'gpt-image-1', prompt: 'x', n: 3, max_tokens: 5, stream: true }],
    ['speech', { model: 'tts-1', input: 'x', stream_format: 'sse' }],
    ['moderation', { input: ['x'] }],
    ['moderation', { input: ['x'], model: 'm'.repeat(400) }],
    ['rerank', { model: 'r', query: 'x', documents: ['y'] }],
  ] as const)('reads the fields of an %s call as the exact reading does: %j', async (kind, call) => {
    const { inputTokens: _, inputSource: __, ...rough } = await readRoughly(kind, bytesOf(call));
    const { inputTokens: ___, inputSource: ____, ...exact } = readCall(kind, bytesOf(call), 1e6);
    expect(rough).toEqual(exact);
  });

  it.each([
    ['English', 'The limits of a team hold over all instances of the gateway. '.repeat(4000)],
    ['Chinese', '网关位于公司的应用和它们所调用的接口之间。'.repeat(4000)],
    ['code', '  if (x !== undefined) { return this.total + Math.max(x, 1); }\n'.repeat(4000)],
  ])('estimates %s within a factor of two', async (_, content) => {
    const { inputTokens } = await readRoughly('chat', bytesOf({ messages: [{ role: 'user', content }] }));
    const ratio = inputTokens / countTokens(content, 'o200k_base');
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });

  it('does not take a picture for text, with or without its data URL', async () => {
    const png = `iVBORw0KGgo${'QUJD'.repeat(500_000)}`;
    const call = { messages: [{ content: [{ url: `data:image/png;base64,${png}` }, { data: png }] }] };
    const { inputTokens } = await readRoughly('chat', bytesOf(call));
    expect(inputTokens).toBeGreaterThan(1500);
    expect(inputTokens).toBeLessThan(1700);
  });

  it.each([
    ['', 'empty'],
    ['  \n', 'empty'],
    ['[1]', 'not an object'],
    ['{"model":"sesame"', 'not valid JSON'],
    ['{"model":"sesame"} {', 'not valid JSON'],
    ['{"model":sesame}', 'not valid JSON'],
    ['{"n":1,"n":2}', '`n`'],
  ])('refuses %j', async (body, message) => {
    const error: unknown = await readRoughly('chat', bytesOf(body)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GatewayError);
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain('sesame');
  });
});
