import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startInFrontOf } from '../running-gateway.ts';
import { ADMIN, nothingOpen, openNow, rawChat, rawGet } from './wire.ts';

const EVENT = `data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"${'word '.repeat(1_600)}"}}]}\n\n`;
const TOTAL_BYTES = 64 * 1024 * 1024;

/** `once` would reject where the connection is reset, which is nothing wrong here. */
function drainOrClose(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}

/** Writes events as fast as they are taken, and tells how many bytes were. */
async function pour(
  socket: Socket,
  head: string,
  tell: (bytes: number) => void,
  event: Buffer = Buffer.from(EVENT),
): Promise<void> {
  await receiveRequest(socket);
  socket.resume();
  socket.write(head);
  for (let sent = 0; sent < TOTAL_BYTES && !socket.destroyed; sent += event.length) {
    if (!socket.write(event)) await drainOrClose(socket);
    tell(sent + event.length);
  }
}

/** An upstream that pours an answer with these fields, and how many bytes of it were taken so far. */
async function startPouring(
  fields: string,
  event?: Buffer,
): Promise<{ url: string; port: number; taken: () => number }> {
  let taken = 0;
  const { url, port } = await chunkingServer((socket) =>
    pour(
      socket,
      `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`,
      (bytes) => {
        taken = bytes;
      },
      event,
    ),
  );
  return { url, port, taken: () => taken };
}

/** A client that sends a call and reads nothing. */
function callAndWait(port: number, call: string): Socket {
  const client = connect(port, '127.0.0.1');
  client.on('error', () => {});
  client.pause();
  client.write(call);
  return client;
}

/** Resolves with the number once it has stood still for a while. */
async function settled(read: () => number): Promise<number> {
  let before = -1;
  await until(
    async () => {
      const now = read();
      const still = now > 0 && now === before;
      before = now;
      if (!still) await wait(150);
      return still;
    },
    { withinMs: 5_000 },
  );
  return before;
}

/** What the sockets of both connections hold in the kernel: measured, not guessed. */
async function heldByTwoConnections(): Promise<number> {
  const upstream = await startPouring('content-type: text/event-stream');
  const relay = await chunkingServer(async (socket) => {
    const up = connect(upstream.port, '127.0.0.1');
    up.on('error', () => {});
    socket.once('close', () => up.destroy());
    up.write((await receiveRequest(socket)).head);
    up.write('\r\n\r\n');
    up.pipe(socket);
  });
  const client = callAndWait(relay.port, 'GET / HTTP/1.1\r\n\r\n');
  const held = await settled(upstream.taken);
  client.destroy();
  return held;
}

const CALLS = [
  [
    'a metered stream',
    rawChat({ stream: true, stream_options: { include_usage: true } }),
    'text/event-stream',
  ],
  ['a metered stream whose usage is hidden', rawChat({ stream: true }), 'text/event-stream'],
  ['a metered body', rawChat(), 'application/json'],
  ['an unread answer', rawGet('/v1/files/f/content'), 'application/octet-stream'],
] as const;

describe('A slow reader', () => {
  it('has at most 256 KiB held in the process, and gets the rest once it reads', {
    timeout: 30_000,
  }, async () => {
    const kernelBytes = await heldByTwoConnections();
    for (const [name, call, type] of CALLS) {
      const { url, taken } = await startPouring(`content-type: ${type}\r\nconnection: close`);
      const running = await startInFrontOf(url, ADMIN);
      const client = callAndWait(running.port, call);
      const heldBytes = await settled(taken);
      // The kernel tunes its buffers as it goes: half as much again is its own affair.
      expect([name, heldBytes < kernelBytes * 1.5 + 256 * 1024]).toEqual([name, true]);
      expect(heldBytes).toBeLessThan(TOTAL_BYTES / 2);

      const before = taken();
      client.resume();
      await until(() => taken() > before + 1_000_000);
      client.destroy();
      await nothingOpen(running);
    }
  });

  it('is not taken for a stalled upstream', async () => {
    const { url, taken } = await startPouring('content-type: text/event-stream\r\nconnection: close');
    const running = await startInFrontOf(url, `${ADMIN}timeouts: { idle: 200ms }`);
    const client = callAndWait(running.port, rawChat({ stream: true }));
    await settled(taken);
    await wait(600);
    expect((await openNow(running)).requests).toBe(1);
    const before = taken();
    client.resume();
    await until(() => taken() > before + 1_000_000);
    client.destroy();
    await nothingOpen(running);
  });

  it('is waited for by one listener, however many chunks come at once', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => warnings.push(name);
    process.on('warning', onWarning);
    onTestFinished(() => void process.off('warning', onWarning));
    const chunk = 'a\r\ndata: {}\n\n\r\n';
    const fields = 'content-type: text/event-stream\r\ntransfer-encoding: chunked';
    const { url, taken } = await startPouring(fields, Buffer.from(chunk.repeat(500)));
    const running = await startInFrontOf(url, ADMIN);
    const call = rawChat({ stream: true, stream_options: { include_usage: true } });
    const client = callAndWait(running.port, call);
    await settled(taken);
    expect(warnings).toEqual([]);
    client.destroy();
    await nothingOpen(running);
  });
});
