import { expect } from 'vitest';
import type { Call, Client, Failure } from './client.ts';
import { clientTest, failed, newPrompt, succeeded } from './client-test.ts';
import type { RunningGateway } from './running-gateway.ts';

/** Calls that the upstream fails. */
export function describeBroken(client: Client, gateway: () => RunningGateway): void {
  const test = (name: string, run: () => Promise<void>) => clientTest(client, name, run);
  const call = (headers: Record<string, string>, more: Partial<Call> = {}): Call => ({
    url: gateway().url,
    key: 'sk-own-93de',
    prompt: newPrompt(),
    headers,
    maxRetries: 0,
    ...more,
  });

  test("gets an upstream's own 429 as the upstream said it, marked as the upstream's", async () => {
    const made = call({ 'x-simulate-fault': 'error-429', 'x-simulate-retry-after-ms': '250' });
    const through = failed(await client.ask(made));
    const past = failed(await client.ask({ ...made, url: gateway().upstream.url }));
    expect(through).toMatchObject({ isRateLimit: true, status: 429 });
    expect(known(through)).toEqual(known(past));
    expect(through.headers['x-nexus-source']).toBe('upstream');
    for (const name of ['retry-after', 'retry-after-ms', 'x-should-retry']) {
      expect(through.headers[name]).toBe(past.headers[name]);
    }
  });

  test('raises an error when the upstream dies in the middle of a stream, and asks only once', async () => {
    const more = { prompt: 'Count to eight.', maxRetries: 2 };
    const whole = succeeded(await client.stream(call({ 'x-simulate-tokens': '8' }, more)));
    const headers = {
      'x-simulate-tokens': '8',
      'x-simulate-fault': 'reset-midstream',
      'x-simulate-after-chunks': '4',
    };
    const { outcome, requests } = await gateway().received(() => client.stream(call(headers, more)));
    failed(outcome);
    expect(outcome.pieces.length).toBeLessThanOrEqual(4);
    expect(outcome.pieces).toEqual(whole.pieces.slice(0, outcome.pieces.length));
    expect(requests).toHaveLength(1);
  });

  test("is told of an upstream's error in the middle of a stream as without Nexus", async () => {
    const made = call({ 'x-simulate-fault': 'error-midstream', 'x-simulate-after-chunks': '4' });
    const through = await client.stream(made);
    const past = await client.stream({ ...made, url: gateway().upstream.url });
    expect(through.failure && known(through.failure)).toEqual(past.failure && known(past.failure));
    expect(through.seen).toEqual(past.seen);
    // openai-python gives the error of a stream of responses as its last event.
    if (!through.failure) expect(through.seen.at(-1)).toMatchObject({ type: 'error', code: 'server_error' });
  });
}

/** What a failure says; but for the request's id, which Anthropic's SDK shows in the message. */
function known({ name, message, type, code }: Failure) {
  return { name, message: message.replaceAll(/req_\w+/g, 'req_…'), type: type ?? null, code: code ?? null };
}
