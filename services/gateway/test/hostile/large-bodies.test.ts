import { connect } from 'node:net';
import { rawRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ADMIN, errorIn, nothingOpen, rawPost } from '../faults/wire.ts';
import { startWithSimulator } from '../running-gateway.ts';
import { MESSAGES, postChat } from './chat-text.ts';

const LIMITS = `${ADMIN}limits: { requests_per_minute: 1000, model_tokens_per_minute: 100000 }`;

describe('A body that is too large', () => {
  const SMALL = `${LIMITS}\nbody_limit: 100KB`;

  it('by its length is a 413 before it is read', async () => {
    const running = await startWithSimulator(SMALL);
    const head = rawPost('/v1/chat/completions', '').replace('Content-Length: 0', 'Content-Length: 5000000');
    const { text } = await rawRequest(running.port, head, { until: /\}$/ });
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(errorIn(text.slice(text.indexOf('\r\n\r\n') + 4)).code).toBe('body_too_large');
    expect(text.toLowerCase()).toContain('connection: close');
    await nothingOpen(running);
  });

  it('by its chunks is a 413 once it is', async () => {
    const running = await startWithSimulator(SMALL);
    const head = rawPost('/v1/chat/completions', '').replace(
      'Content-Length: 0',
      'Transfer-Encoding: chunked',
    );
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const { text } = await rawRequest(running.port, [head, chunk, chunk, chunk], { until: /\}$/ });
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    await nothingOpen(running);
    expect(running.simulator.hits()).toBe(0);
  });

  it('is not asked for where the client waits to be asked', async () => {
    const running = await startWithSimulator(SMALL);
    const head = rawPost('/v1/chat/completions', '', ['Expect: 100-continue']).replace(
      'Content-Length: 0',
      'Content-Length: 5000000',
    );
    const { text } = await rawRequest(running.port, head, { until: /\}$/ });
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).not.toContain('100 Continue');
  });

  it.each([
    [
      'no key',
      rawPost('/v1/chat/completions', '', ['Expect: 100-continue']).replace(/Authorization.*\r\n/, ''),
      401,
    ],
    ['a bad path', rawPost('/v1/../x', '', ['Expect: 100-continue']), 400],
  ])('or not, is not asked for with %s', async (_what, bytes, status) => {
    const running = await startWithSimulator(SMALL);
    const { text } = await rawRequest(
      running.port,
      bytes.replace('Content-Length: 0', 'Content-Length: 50000'),
      {
        until: /\}$/,
      },
    );
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).not.toContain('100 Continue');
  });

  it('gets its answer although the client is still sending', async () => {
    const running = await startWithSimulator(SMALL);
    for (const framing of ['Content-Length: 3000000', 'Transfer-Encoding: chunked']) {
      const socket = connect(running.port, '127.0.0.1');
      let text = '';
      let failure = '';
      socket.on('error', (error) => {
        failure = error.message;
      });
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.write(rawPost('/v1/chat/completions', '').replace('Content-Length: 0', framing));
      const bytes = 'x'.repeat(60_000);
      const piece = framing.startsWith('T') ? `${bytes.length.toString(16)}\r\n${bytes}\r\n` : bytes;
      for (let i = 0; i < 50; i++) socket.write(piece);
      if (framing.startsWith('T')) socket.write('0\r\n\r\n');
      await until(() => text.includes('body_too_large') || failure !== '');
      expect([failure, text.slice(0, 12)]).toEqual(['', 'HTTP/1.1 413']);
      socket.destroy();
      await nothingOpen(running);
    }
  });

  it('ends its connection in the end, although the client never stops', { timeout: 15_000 }, async () => {
    const running = await startWithSimulator(SMALL);
    const socket = connect(running.port, '127.0.0.1');
    let closed = false;
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.once('close', () => {
      closed = true;
    });
    socket.write(
      rawPost('/v1/chat/completions', '').replace('Content-Length: 0', 'Content-Length: 500000000'),
    );
    const feed = setInterval(() => {
      if (socket.writableLength < 1_000_000) socket.write('x'.repeat(100_000));
    }, 5);
    await until(() => closed, { withinMs: 8_000 }).finally(() => clearInterval(feed));
    await nothingOpen(running);
  });

  it('is as large as the limit lets it be, to the byte', async () => {
    const running = await startWithSimulator(SMALL);
    const padded = (bytes: number) => {
      const start = `{"model":"gpt-4o-mini",${MESSAGES},"user":"`;
      return `${start}${'x'.repeat(bytes - start.length - 2)}"}`;
    };
    expect((await postChat(running.url, padded(100 * 1024))).status).toBe(200);
    expect((await postChat(running.url, padded(100 * 1024 + 1))).status).toBe(413);
  });
});
