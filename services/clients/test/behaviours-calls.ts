import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordedRequest } from '@nexus/simulator';
import { tempDir } from '@nexus/testkit';
import { expect } from 'vitest';
import type { Call, Client } from './client.ts';
import { clientTest, newPrompt, succeeded } from './client-test.ts';
import { idOf, keyOf, type RunningGateway, UPSTREAM_KEY } from './running-gateway.ts';

/** What `stream_options` looks like after Nexus has asked for the usage on the client's behalf. */
const ASKED = '"stream_options":{"include_usage":true},';

/** Header fields that are the business of one connection, and differ by what Nexus promises. */
const OF_THE_CONNECTION = new Set(['host', 'connection', 'accept-encoding', 'content-length', 'accept']);

/** Calls that succeed. */
export function describeCalls(client: Client, gateway: () => RunningGateway): void {
  const test = (name: string, run: () => Promise<void>) => clientTest(client, name, run);
  const call = (more: Partial<Call> = {}): Call => ({
    url: gateway().url,
    key: 'sk-own-71c2',
    prompt: newPrompt(),
    ...more,
  });
  /** The same call through Nexus and past it. */
  const bothWays = async <T>(made: Call, run: (call: Call) => Promise<T>) => {
    const through = await gateway().received(() => run(made));
    const past = await gateway().received(() => run({ ...made, url: gateway().upstream.url }));
    return { through, past };
  };

  test('gets the same answer as without Nexus, and the upstream the same request', async () => {
    const headers = { 'X-Team-Trace': 'Blue/7; a="b c"', 'x-empty-ish': '0' };
    const { through, past } = await bothWays(call({ headers }), (made) => client.ask(made));
    expect(succeeded(through.outcome).pieces).toHaveLength(1);
    expect(through.outcome.seen).toEqual(past.outcome.seen);
    expect(through.outcome.totalTokens).toBeGreaterThan(0);
    const [request, without] = [only(through.requests), only(past.requests)];
    expect(request.body.equals(without.body)).toBe(true);
    expect(request.path).toBe(without.path);
    expect(endToEnd(request)).toEqual(endToEnd(without));
    expect(fieldOf(request, 'x-team-trace')).toBe(headers['X-Team-Trace']);
  });

  test('gets the same stream as without Nexus, piece by piece, as each piece comes', async () => {
    const headers = { 'x-simulate-tokens': '8', 'x-simulate-tokens-per-second': '10' };
    const through = await client.stream(call({ headers, prompt: 'Count to eight.' }));
    const past = await client.stream(
      call({ url: gateway().upstream.url, prompt: 'Count to eight.', headers: { 'x-simulate-tokens': '8' } }),
    );
    expect(succeeded(through).pieces).toHaveLength(8);
    expect(through.pieces).toEqual(past.pieces);
    expect(through.seen).toEqual(past.seen);
    // The upstream takes 0.7 s from the first piece to the last; of a buffered stream all pieces come at once.
    const arrivedMs = [through.arrivedMs.at(0) ?? 0, through.arrivedMs.at(-1) ?? 0] as const;
    expect(arrivedMs[1] - arrivedMs[0]).toBeGreaterThan(350);
  });

  test('gets the same stream also if it asks to be told behind it what it cost', async () => {
    const headers = { 'x-nexus-cost': 'comment' };
    const { through, past } = await bothWays(call({ headers }), (made) => client.stream(made));
    expect(succeeded(through.outcome).pieces.length).toBeGreaterThan(0);
    expect(through.outcome.seen).toEqual(past.outcome.seen);
    expect(fieldOf(only(through.requests), 'x-nexus-cost')).toBeUndefined();
  });

  if (client.asksUsage === 'if told') {
    test("doesn't see the usage chunk that Nexus asked for: one splice is all that is changed", async () => {
      const { through, past } = await bothWays(call(), (made) => client.stream(made));
      expect(succeeded(through.outcome).totalTokens ?? undefined).toBeUndefined();
      expect(through.outcome.seen).toEqual(past.outcome.seen);
      const [sent, without] = [only(through.requests).body.toString(), only(past.requests).body.toString()];
      expect(without).not.toContain('stream_options');
      expect(sent).toBe(`{${ASKED}${without.slice(1)}`);
    });

    test('sees the usage chunk that it asked for itself, and its request is not changed at all', async () => {
      const { through, past } = await bothWays(call({ includeUsage: true }), (made) => client.stream(made));
      expect(succeeded(through.outcome).totalTokens).toBeGreaterThan(0);
      expect(through.outcome.totalTokens).toBe(past.outcome.totalTokens);
      expect(through.outcome.seen).toEqual(past.outcome.seen);
      expect(only(through.requests).body.equals(only(past.requests).body)).toBe(true);
    });
  } else {
    test('sees the usage of its stream, and its request is not changed at all', async () => {
      const { through, past } = await bothWays(call(), (made) => client.stream(made));
      expect(succeeded(through.outcome).totalTokens).toBeGreaterThan(0);
      expect(through.outcome.totalTokens).toBe(past.outcome.totalTokens);
      expect(only(through.requests).body.equals(only(past.requests).body)).toBe(true);
    });
  }

  test('has its own key arrive upstream where the key is not listed', async () => {
    const { requests } = await gateway().received(() => client.ask(call({ key: 'sk-own-81ab' })));
    expect(credentialOf(only(requests))).toBe('sk-own-81ab');
  });

  test('has its key replaced by the upstream key where the configuration says so, and kept from the upstream', async () => {
    const key = keyOf(client.name, 'mapped');
    const { outcome, requests } = await gateway().received(async () => [
      await client.ask(call({ key })),
      await client.stream(call({ key })),
    ]);
    for (const each of outcome) succeeded(each);
    expect(requests).toHaveLength(2);
    for (const request of requests) {
      expect(credentialOf(request)).toBe(UPSTREAM_KEY);
      expect(JSON.stringify([request.path, request.headers]) + request.body.toString('latin1')).not.toContain(
        key,
      );
    }
  });

  if (client.showsRequestId !== false) {
    test('finds the request id of an answer in the log', async () => {
      const key = keyOf(client.name, 'mapped');
      const { requestId } = succeeded(await client.ask(call({ key })));
      const lines = await gateway().linesOf(idOf(client.name, 'mapped'));
      const { request_id, upstream_request_id } = lines.at(-1) ?? {};
      expect(requestId).toMatch(/^req_/);
      expect([request_id, upstream_request_id]).toContain(requestId);
    });
  }

  for (const format of client.embed?.formats ?? []) {
    test(`gets the same embedding as without Nexus (encoding_format: ${format})`, async () => {
      const { through, past } = await bothWays(call(), async (made) => client.embed?.run(made, format));
      expect(through.outcome?.failure ?? undefined).toBeUndefined();
      expect(through.outcome?.seen).toHaveLength(1);
      expect(through.outcome?.seen).toEqual(past.outcome?.seen);
      expect(only(through.requests).body.equals(only(past.requests).body)).toBe(true);
    });
  }

  for (const [name, upload] of Object.entries(client.uploads ?? {})) {
    test(`uploads a file byte for byte with ${name}`, async () => {
      const path = join(await tempDir(), 'speech.mp3');
      // More than one chunk, and every byte there is; the head of an MP3, for clients that look.
      const content = Buffer.concat([Buffer.from('ID3\u0004'), randomBytes(300_000)]);
      await writeFile(path, content);
      const { outcome, requests } = await gateway().received(() => upload(call(), path));
      const request = only(requests);
      const { body } = request;
      const boundary = /boundary="?([^";]+)/.exec(fieldOf(request, 'content-type') ?? '')?.[1];
      expect(body.includes(content)).toBe(true);
      expect(body.toString('latin1', 0, 200).split('\r\n')[0]).toBe(`--${boundary}`);
      expect(body.toString('latin1').trimEnd().split('\r\n').at(-1)).toBe(`--${boundary}--`);
      // The stand-in has no files of Anthropic's; what it got is what counts there.
      if (client.api === 'chat') succeeded(outcome);
    });
  }
}

function only(requests: readonly RecordedRequest[]): RecordedRequest {
  const [request, ...others] = requests;
  if (request === undefined || others.length > 0) throw new Error(`${requests.length} requests arrived.`);
  return request;
}

function fieldOf(request: RecordedRequest, wanted: string): string | undefined {
  return request.headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** The header fields that are between the client and the upstream, in their order and spelling. */
function endToEnd(request: RecordedRequest): RecordedRequest['headers'] {
  return request.headers.filter(([name]) => !OF_THE_CONNECTION.has(name.toLowerCase()));
}

/** The key in the one header that carries a credential. */
function credentialOf(request: RecordedRequest): string | undefined {
  const names = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'];
  const carried = request.headers.filter(([name]) => names.includes(name.toLowerCase()));
  expect(carried).toHaveLength(1);
  return carried[0]?.[1].replace(/^Bearer /, '');
}
