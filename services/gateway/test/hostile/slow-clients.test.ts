import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { startSimulator } from '@nexus/simulator';
import { until } from '@nexus/testkit';
import express from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createServer } from '../../src/server.ts';
import { ADMIN, errorIn, lives, nothingOpen } from '../faults/wire.ts';
import { startWithSimulator } from '../running-gateway.ts';

describe('The server', () => {
  it('lets no client take its time: headers 10 s, sixteen KiB, looked at every 2 s', () => {
    const server = createServer(express(), undefined);
    onTestFinished(() => void server.close());
    expect(server.headersTimeout).toBe(10_000);
    // A balancer's idle connections (nginx: 60 s) must end before ours.
    expect(server.keepAliveTimeout).toBeGreaterThan(60_000);
    // Past it Node drops fields without a word.
    expect(server.maxHeadersCount).toBe(0);
  });

  it('answers 408 to headers that never end', { timeout: 20_000 }, async () => {
    const server = createServer(express(), undefined);
    server.headersTimeout = 300;
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
    const drip = setInterval(() => socket.write('X-A: b\r\n'), 100);
    await until(() => socket.readableEnded || socket.destroyed, { withinMs: 6_000 }).finally(() =>
      clearInterval(drip),
    );
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(errorIn(text.slice(text.indexOf('\r\n\r\n') + 4)).code).toBe('request_timeout');
  });
});

describe('Idle connections', () => {
  it('by the thousand leave the gateway answering', { timeout: 20_000 }, async () => {
    const running = await startWithSimulator(ADMIN);
    const sockets: Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    for (let batch = 0; batch < 20; batch++) {
      const opened = Array.from({ length: 100 }, () => {
        const socket = connect(running.port, '127.0.0.1');
        socket.on('error', () => {});
        sockets.push(socket);
        return once(socket, 'connect');
      });
      await Promise.all(opened);
    }
    for (const [i, socket] of sockets.entries())
      if (i % 2 === 0) socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n');
    const startedMs = performance.now();
    expect(await lives(running)).toBe(true);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect((await running.chat()).status).toBe(200);
    await nothingOpen(running);
  });

  it('that reset in the middle of anything end nothing', async () => {
    const running = await startWithSimulator(ADMIN);
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const bytes =
      'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nContent-Length: 40\r\n\r\n{"model":"m","messages":[]';
    for (let length = 1; length <= bytes.length; length += 3) {
      const socket = connect(running.port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      await new Promise<void>((resolve) => socket.write(bytes.slice(0, length), () => resolve()));
      socket.resetAndDestroy();
    }
    expect(await lives(running)).toBe(true);
    await nothingOpen(running);
    expect(running.simulator.hits()).toBe(0);
  });
});
