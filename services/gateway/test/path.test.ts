import { rawRequest } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startWithSimulator } from './running-gateway.ts';

describe('a metered call', () => {
  it("gives the upstream's answer back, byte for byte, with its headers", async () => {
    const running = await startWithSimulator();
    const through = await running.chat({}, { 'x-custom': 'here' });
    const direct = await fetch(`${running.simulator.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer x' },
      body: '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}',
    });
    expect(through.status).toBe(200);
    expect(await through.text()).toBe(await direct.text());
    expect(through.headers.get('openai-version')).toBe(direct.headers.get('openai-version'));
    expect(through.headers.get('x-request-id')).toMatch(/^req_/);
    expect(through.headers.get('request-id')).toBe(through.headers.get('x-request-id'));
  });

  it('sends the body as the very bytes that came, also when they come in chunks', async () => {
    const running = await startWithSimulator();
    const body =
      '{ "model":"gpt-4o-mini" ,\n\t"messages":[{"role":"user","content":"h\\u00e9 \u{1F600}"}],"x":1.0}';
    const pieces = [body.slice(0, 9), body.slice(9, 40), body.slice(40)];
    const chunked = pieces
      .map((piece) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`)
      .join('');
    const head =
      'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nX-Custom: One\r\nx-custom: Two\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    const answer = await rawRequest(running.port, Buffer.from(`${head}${chunked}0\r\n\r\n`));
    expect(String(answer.text)).toContain('HTTP/1.1 200');
    const [request] = running.simulator.requests;
    expect(Buffer.from(request?.body ?? []).toString()).toBe(body);
    const custom = request?.headers.filter(([name]) => name.toLowerCase() === 'x-custom');
    expect(custom).toEqual([
      ['X-Custom', 'One'],
      ['x-custom', 'Two'],
    ]);
  });

  it('asks for the usage of a stream by one splice, and hides it from a client that did not ask', async () => {
    const running = await startWithSimulator();
    const answer = await running.chat({ stream: true });
    const text = await answer.text();
    expect(text).toContain('data: [DONE]');
    expect(text).not.toContain('"usage"');
    const body = Buffer.from(running.simulator.requests[0]?.body ?? []).toString();
    expect(body).toBe(
      '{"stream_options":{"include_usage":true},"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}],"stream":true}',
    );
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ usage_source: 'reported', output_tokens: 16 });
  });

  it('leaves the usage to a client that asked', async () => {
    const running = await startWithSimulator();
    const answer = await running.chat({ stream: true, stream_options: { include_usage: true } });
    expect(await answer.text()).toContain('"completion_tokens":16');
  });

  it('does not ask where the upstream refuses the field, and counts what was streamed', async () => {
    const running = await startWithSimulator('ask_usage: false');
    const answer = await running.chat({ stream: true });
    await answer.text();
    expect(Buffer.from(running.simulator.requests[0]?.body ?? []).toString()).not.toContain('stream_options');
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ usage_source: 'counted' });
    expect(line?.output_tokens).toBeGreaterThan(8);
  });
});
