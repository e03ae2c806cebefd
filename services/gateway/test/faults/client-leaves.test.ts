import { once } from 'node:events';
import { connect } from 'node:net';
import { chunkingServer, rawRequest, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { requestLines, startInFrontOf, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, nothingOpen, openNow, rawChat, rawGet, rawPost, usedBy } from './wire.ts';

const LIMITS = `${ADMIN}limits: { concurrent_requests: 2, requests_per_minute: 100, model_tokens_per_minute: 100000 }`;

/** Sends bytes, waits until `seen` appears in the answer (undefined: until `when` is true), and leaves. */
async function leave(
  port: number,
  bytes: string,
  when: RegExp | (() => boolean | Promise<boolean>),
  how: 'reset' | 'end' = 'end',
): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'connect');
  socket.write(bytes, 'latin1');
  await until(() => (when instanceof RegExp ? when.test(text) : when()));
  if (how === 'reset') socket.resetAndDestroy();
  else socket.destroy();
  return text;
}

describe('A client that leaves', () => {
  it.each([
    ['a metered call', rawChat(), 'end'],
    ['a metered call', rawChat(), 'reset'],
    ['a metered stream', rawChat({ stream: true }), 'end'],
    ['an unread GET', rawGet('/v1/models'), 'end'],
    ['an unread POST', rawPost('/v1/responses/input_tokens', '{"input":"x"}'), 'reset'],
  ] as const)('before the first byte ends its request upstream too: %s (%s)', async (name, bytes, how) => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.next('stall-before');
    await leave(running.port, bytes, () => running.simulator.requests[0] !== undefined, how);
    await until(() => running.simulator.requests[0]?.aborted === true);
    await nothingOpen(running);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left', output_tokens: 0 });
    if (name.startsWith('a metered')) expect(Number(line?.input_tokens)).toBeGreaterThan(5);
    const used = await usedBy(running);
    expect(used.get('concurrent_requests')).toBe(0);
    expect(used.get('requests_per_minute')).toBe(1);
  });

  it('in the middle of a stream stops the upstream, and pays for the prompt and what was streamed', async () => {
    const running = await startWithSimulator(LIMITS, { tokensPerSecond: 200, outputTokens: 4_000 });
    const seen = await leave(running.port, rawChat({ stream: true }), /(?:data: \{[^\n]*\n\n[^d]*){10}/);
    await until(() => running.simulator.requests[0]?.aborted === true);
    await nothingOpen(running);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left', usage_source: 'counted' });
    expect(Number(line?.input_tokens)).toBeGreaterThan(5);
    const pieces = seen.match(/"content":"/g)?.length ?? 0;
    expect(Number(line?.output_tokens)).toBeGreaterThan(pieces / 4);
    expect(Number(line?.output_tokens)).toBeLessThan(1_000);
  });

  it('in the middle of a stream is drained where the setting says so, and pays exactly', async () => {
    const running = await startWithSimulator(`${LIMITS}\non_disconnect: drain`, {
      tokensPerSecond: 300,
      outputTokens: 200,
    });
    await leave(running.port, rawChat({ stream: true }), /(?:data: \{[^\n]*\n\n[^d]*){5}/, 'reset');
    expect((await openNow(running)).requests).toBe(1);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left', usage_source: 'reported', output_tokens: 200 });
    expect(running.simulator.requests[0]?.aborted).toBeFalsy();
    expect(running.simulator.usageServed().reportedCompletionTokens).toBe(200);
    await nothingOpen(running);
  });

  it('before the first byte is drained where the setting says so', async () => {
    const running = await startWithSimulator(`${LIMITS}\non_disconnect: drain`);
    const call = rawChat({}, ['x-simulate-latency-ms: 300']);
    await leave(running.port, call, () => running.simulator.requests[0] !== undefined);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left', usage_source: 'reported', output_tokens: 16 });
    await nothingOpen(running);
  });

  it('and stops reading is drained too, without its answer being kept', async () => {
    const running = await startWithSimulator(`${LIMITS}\non_disconnect: drain`);
    const call = rawChat({ stream: true, stream_options: { include_usage: true } }, [
      'x-simulate-tokens: 40000',
    ]);
    const socket = connect(running.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(call);
    socket.pause();
    await until(async () => (await openNow(running)).requests === 1);
    await until(() => running.simulator.usageServed().completionTokens > 10);
    socket.destroy();
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ usage_source: 'reported', output_tokens: 40_000 });
    await nothingOpen(running);
  });

  it('from a drained stream that stalls holds nothing for longer than the idle time', async () => {
    const running = await startWithSimulator(`${LIMITS}\non_disconnect: drain\ntimeouts: { idle: 300ms }`);
    running.simulator.faults.next('stall-midstream');
    await leave(running.port, rawChat({ stream: true }), /data: /);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left' });
    await nothingOpen(running);
  });

  it.each(['reset', 'end'] as const)(
    'as soon as a part of its body is sent holds nothing (%s)',
    async (how) => {
      const running = await startWithSimulator(LIMITS);
      const part = rawChat().slice(0, -20);
      const sockets = Array.from({ length: 20 }, () => connect(running.port, '127.0.0.1'));
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      for (const socket of sockets) {
        socket.on('error', () => {});
        // What was written goes out first: the gateway finds both, mostly in one step.
        if (how === 'reset') socket.write(part, () => socket.resetAndDestroy());
        else socket.end(part);
      }
      const lines = await requestLines(running, 20);
      expect(new Set(lines.map(({ message }) => message))).toEqual(new Set(['client left']));
      expect(running.simulator.hits()).toBe(0);
      await nothingOpen(running);
      expect((await usedBy(running)).get('requests_per_minute')).toBe(0);
    },
  );

  it('while its body is still being sent has reserved nothing, and nothing went upstream', async () => {
    const running = await startWithSimulator(LIMITS);
    const whole = rawChat({ padding: 'x'.repeat(50_000) });
    await leave(running.port, whole.slice(0, -20_000), async () => {
      const { requests, reservations } = await openNow(running);
      expect(reservations).toBe(0);
      return requests === 1;
    });
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left', decision: 'none' });
    expect(running.simulator.hits()).toBe(0);
    await nothingOpen(running);
    expect((await usedBy(running)).get('requests_per_minute')).toBe(0);
  });

  it('while its upload is still being sent ends it upstream, and frees the slot', async () => {
    let ended = false;
    const upstream = await chunkingServer((socket) => {
      socket.resume();
      socket.once('close', () => {
        ended = true;
      });
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    const head = rawPost('/v1/files', 'x'.repeat(100_000)).slice(0, -50_000);
    await leave(running.port, head, () => upstream.connections() === 1, 'reset');
    await until(() => ended);
    await nothingOpen(running);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left' });
  });

  it('from an unread answer in its middle ends it upstream', async () => {
    let ended = false;
    const upstream = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.once('close', () => {
        ended = true;
      });
      socket.resume();
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nabc');
    });
    const running = await startInFrontOf(upstream.url, LIMITS);
    await leave(running.port, rawGet('/v1/files/f/content'), /abc/);
    await until(() => ended);
    await nothingOpen(running);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ message: 'client left', status: 200 });
  });

  it('by closing its own side alone has left too: whoever waits keeps the connection open', async () => {
    const running = await startWithSimulator(LIMITS);
    running.simulator.faults.next('stall-before');
    const socket = connect({ port: running.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    socket.write(rawChat());
    await until(() => running.simulator.requests[0] !== undefined);
    socket.end();
    await until(() => running.simulator.requests[0]?.aborted === true);
    await nothingOpen(running);
    socket.destroy();
  });

  it('by the hundred, at any moment, leaves nothing open', async () => {
    const running = await startWithSimulator(`${ADMIN}limits: { concurrent_requests: 500 }`, {
      latencyMs: 5,
      tokensPerSecond: 2_000,
    });
    const calls = [
      rawChat(),
      rawChat({ stream: true }),
      rawGet('/v1/models'),
      rawPost('/v1/responses/input_tokens', '{"input":"x"}'),
    ];
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        rawRequest(running.port, calls[i % calls.length] ?? '', { withinMs: 1 + ((i * 7) % 60) }),
      ),
    );
    // What was sent before its client left may still arrive.
    await until(async () => (await usedBy(running)).get('concurrent_requests') === 0);
    await nothingOpen(running);
    expect((await running.chat()).status).toBe(200);
  });
});
