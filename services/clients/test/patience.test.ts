import Anthropic from '@anthropic-ai/sdk';
import OpenAI4 from 'openai-4';
import OpenAI7 from 'openai-7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningGateway, startGateway } from './running-gateway.ts';

let gateway: RunningGateway;

beforeAll(async () => {
  // A request at once, and one more each 10 seconds: much longer than a busy machine stands still.
  gateway = await startGateway(
    [],
    ['max_wait: 20s', 'limits: { requests_per_minute: { limit: 6, burst: 1 } }'],
  );
});
afterAll(() => gateway?.close());

/** A call by each SDK, that may last so long. openai-node 7 says nothing of a time-out that was given to its client as a whole. */
const calls = {
  'openai-node 4': (apiKey: string, timeout: number) =>
    new OpenAI4({ apiKey, timeout, maxRetries: 0, baseURL: `${gateway.url}/v1` }).models.list(),
  'openai-node 7': (apiKey: string, timeout: number) =>
    new OpenAI7({ apiKey, maxRetries: 0, baseURL: `${gateway.url}/v1` }).models.list({ timeout }),
  'Anthropic TypeScript': (apiKey: string, timeout: number) =>
    new Anthropic({ apiKey, timeout, maxRetries: 0, baseURL: gateway.url }).messages.create({
      model: 'claude-opus-4-7',
      max_tokens: 5,
      messages: [{ role: 'user', content: 'Hi' }],
    }),
};

describe('a request that would have to wait', () => {
  it.concurrent.each(Object.entries(calls))(
    'is refused at once where its client has a shorter time-out, and waits where it has time: %s',
    async (name, call) => {
      const key = `sk-patience-${name.replaceAll(' ', '-')}`;
      await call(key, 60_000);
      const refusal = await call(key, 1_000).then(
        () => undefined,
        (error: unknown) => error,
      );
      // Not a time-out of its own: it knows at once, and when to come again.
      expect(refusal).toMatchObject({ status: 429 });
      await call(key, 60_000);
    },
    60_000,
  );
});
