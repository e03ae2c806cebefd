import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir, until } from '@nexus/testkit';
import { expect } from 'vitest';
import type { Call, Client } from './client.ts';
import { clientTest, failed, newPrompt, succeeded } from './client-test.ts';
import { idOf, type KeyPurpose, keyOf, type RequestLine, type RunningGateway } from './running-gateway.ts';

/** Calls that a limit refuses. */
export function describeRefusals(client: Client, gateway: () => RunningGateway): void {
  const test = (name: string, run: () => Promise<void>) => clientTest(client, name, run);
  const call = (purpose: KeyPurpose, more: Partial<Call> = {}): Call => ({
    url: gateway().url,
    key: keyOf(client.name, purpose),
    prompt: newPrompt(),
    ...more,
  });
  const denied = async (purpose: KeyPurpose): Promise<RequestLine[]> => {
    const lines = await gateway().linesOf(idOf(client.name, purpose));
    return lines.filter((line) => line.decision === 'denied');
  };
  /** Takes the one request that a key has, past the client. */
  const useUp = async (purpose: KeyPurpose): Promise<void> => {
    const headers = { authorization: `Bearer ${keyOf(client.name, purpose)}` };
    await (await fetch(`${gateway().url}/v1/models`, { headers })).text();
  };

  test('is told of a refusal by its own rate limit error: message, code, limit and request id', async () => {
    await useUp('short');
    const failure = failed(await client.ask(call('short', { maxRetries: 0 })));
    expect(failure).toMatchObject({ isRateLimit: true, status: 429 });
    expect(failure.message).toMatch(
      /Rate limit reached for \S+ in key:\S+ on requests per min \(RPM\): Limit 1, Used 1, Requested 1\. Please try again in [\d.]+m?s\./,
    );
    expect(failure.message).toContain(`key:${idOf(client.name, 'short')}/requests_per_minute`);
    if (client.api === 'messages') expect(failure.type).toBe('rate_limit_error');
    else expect(failure).toMatchObject({ type: 'requests', code: 'rate_limit_exceeded' });
    expect(failure.headers['x-nexus-source']).toBe('nexus');
    const [line] = await denied('short');
    expect(failure.requestId).toBe(line?.request_id);
  });

  test('is told the right wait: refused before, admitted after', async () => {
    await useUp('short');
    const { headers } = failed(await client.ask(call('short', { maxRetries: 0 })));
    const waitMs = Number(headers['retry-after-ms']);
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(1_530);
    expect(headers['retry-after']).toBe(String(Math.ceil(waitMs / 1_000)));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    succeeded(await client.ask(call('short', { maxRetries: 0 })));
  });

  if (client.retrying !== 'never') {
    test('waits as long as it was told and then succeeds, all by itself', async () => {
      await useUp('short');
      const before = (await denied('short')).length;
      const asked = client.retrying === 'if asked' ? { maxRetries: 1 } : {};
      succeeded(await client.ask(call('short', asked)));
      const refusals = (await denied('short')).slice(before);
      // Refused once and admitted the next time: had it come too early, it would have been refused again.
      expect(refusals).toHaveLength(1);
      const [refusal] = refusals;
      const lines = await gateway().linesOf(idOf(client.name, 'short'));
      const waitedMs = arrivalMs(lines.at(-1)) - endMs(refusal);
      expect(waitedMs).toBeGreaterThan(Number(refusal?.retry_after_ms) - 10);
    });
  }

  for (const [purpose, what] of [
    ['hourly', 'a wait of an hour'],
    ['daily', "a day's amount that is used up"],
  ] as const) {
    const title =
      client.retrying === 'regardless'
        ? `tries again in spite of ${what}, and nothing of it reaches the upstream`
        : `doesn't try again on ${what}`;
    test(title, async () => {
      await useUp(purpose);
      const { outcome, requests } = await gateway().received(() =>
        client.ask(call(purpose, client.retrying === 'regardless' ? { maxRetries: 1 } : {})),
      );
      const failure = failed(outcome);
      expect(failure).toMatchObject({ isRateLimit: true, status: 429 });
      expect(failure.headers['x-should-retry']).toBe('false');
      expect(requests).toHaveLength(0);
      expect(await denied(purpose)).toHaveLength(client.retrying === 'regardless' ? 2 : 1);
      if (purpose !== 'daily') return;
      expect(failure.message).toContain('You exceeded your current quota');
      expect(failure.headers['retry-after']).toBeUndefined();
      if (client.api !== 'messages') expect(failure.code).toBe('insufficient_quota');
    });
  }

  test('has a stream refused by the same error, before anything of it', async () => {
    await useUp('daily');
    const outcome = await client.stream(call('daily', { maxRetries: 0 }));
    expect(failed(outcome)).toMatchObject({ isRateLimit: true, status: 429 });
    expect(outcome.seen).toEqual([]);
  });

  if (client.embed) {
    test('has an embedding refused by the same error', async () => {
      await useUp('daily');
      const outcome = await client.embed?.run(call('daily', { maxRetries: 0 }), 'default');
      expect(outcome?.failure).toMatchObject({ isRateLimit: true, status: 429 });
    });
  }

  for (const [name, upload] of Object.entries(client.uploads ?? {})) {
    if (!/transcri/.test(name)) continue;
    test(`is told by ${name} that its key may not call the model of its form, and calls it with another`, async () => {
      const path = join(await tempDir(), 'speech.mp3');
      await writeFile(path, Buffer.concat([Buffer.from('ID3\u0004'), randomBytes(300_000)]));
      const refused = await gateway().received(() => upload(call('chats', { maxRetries: 0 }), path));
      expect(failed(refused.outcome)).toMatchObject({ status: 404, isRateLimit: false });
      expect(refused.outcome.failure?.message).toContain('`whisper-1`');
      // The upstream never has the end of it.
      await until(() => refused.requests.every(({ aborted }) => aborted));
      expect(refused.requests.some(({ body }) => /\r\n--\S+--[\r\n]*$/.test(body.toString('latin1')))).toBe(
        false,
      );
      succeeded(await upload(call('whispers'), path));
      expect(await gateway().linesOf(idOf(client.name, 'whispers'))).toMatchObject([{ model: 'whisper-1' }]);
    });
  }

  test('is told at once that a request is too large ever to pass', async () => {
    const prompt = 'many words '.repeat(400);
    const { outcome, requests } = await gateway().received(() =>
      client.ask(call('small', { prompt, ...(client.retrying === 'regardless' ? { maxRetries: 0 } : {}) })),
    );
    const failure = failed(outcome);
    expect(failure).toMatchObject({ isRateLimit: true, status: 429 });
    expect(failure.message).toMatch(
      /Request too large for \S+ in key:\S+ on tokens per min \(TPM\): Limit 300/,
    );
    expect(failure.headers['retry-after-ms']).toBeUndefined();
    expect(requests).toHaveLength(0);
    expect(await denied('small')).toHaveLength(1);
  });
}

/** When the request of a line ended, by the gateway's clock. */
function endMs(line: RequestLine | undefined): number {
  return Date.parse(String(line?.time));
}

/** When it arrived. */
function arrivalMs(line: RequestLine | undefined): number {
  return endMs(line) - Number(line?.duration_ms);
}
