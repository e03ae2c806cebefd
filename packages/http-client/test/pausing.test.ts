import type { Socket } from 'node:net';
import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { called, clientOf, send } from './calling.ts';

const LARGE = 24 * 1024 * 1024;

/** Writes a large answer once it is asked; `done` when all of it has gone. */
async function pour(socket: Socket, done: () => void): Promise<void> {
  await receiveRequest(socket);
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${LARGE}\r\n\r\n`);
  socket.write(Buffer.alloc(LARGE, 'nexus'), (error) => {
    if (!error) done();
  });
  socket.resume();
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

describe('A receiver that pauses', () => {
  it('in the midst of a body hears no more until it resumes, and then all of it, in order', async () => {
    let isWritten = false;
    const server = await chunkingServer((socket) =>
      pour(socket, () => {
        isWritten = true;
      }),
    );
    let bytes = 0;
    let isResumed = false;
    const received = send(clientOf(server.url), {
      data: (sending, chunk) => {
        bytes += chunk.length;
        if (bytes > 500_000 && !isResumed) sending.pause();
      },
    });
    await until(() => received.sending?.paused === true);
    await settle();
    expect(bytes).toBeLessThan(2_000_000);
    expect(isWritten).toBe(false);
    isResumed = true;
    received.sending?.resume();
    await received.over;
    expect(received.text === 'nexus'.repeat(LARGE / 5 + 1).slice(0, LARGE)).toBe(true);
  });

  it('as its request is sent is not read to until it resumes', async () => {
    let isWritten = false;
    const server = await chunkingServer((socket) =>
      pour(socket, () => {
        isWritten = true;
      }),
    );
    const received = send(clientOf(server.url), { sent: (sending) => sending.pause() });
    await until(() => received.heard.includes('sent'));
    await settle();
    expect(isWritten).toBe(false);
    expect(received.text.length).toBeLessThan(1_000_000);
    received.sending?.resume();
    await received.over;
    expect(received.text.length).toBe(LARGE);
  });

  it('before the end of an answer that ends with its connection hears of the end when it resumes', async () => {
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.end('HTTP/1.1 200 OK\r\n\r\nabc');
    });
    const received = send(clientOf(server.url), { data: (sending) => sending.pause() });
    await until(() => received.text === 'abc');
    await settle();
    expect(received.heard).toEqual(['sent', 'head', 'data']);
    received.sending?.resume();
    await received.over;
    expect(received.heard).toEqual(['sent', 'head', 'data', 'end']);
  });

  it('may abort: the connection ends, though nothing reads it', async () => {
    let isEnded = false;
    const server = await chunkingServer(async (socket) => {
      socket.once('close', () => {
        isEnded = true;
      });
      await pour(socket, () => {});
    });
    const received = send(clientOf(server.url), { head: (sending) => sending.pause() });
    await until(() => received.sending?.paused === true);
    received.sending?.abort(new Error('left'));
    await until(() => isEnded);
    expect(received.heard.at(-1)).toBe('failed');
  });

  it('and resumes at each piece hears the same as one that doesn’t', async () => {
    const server = await chunkingServer((socket) => pour(socket, () => {}));
    let pieces = 0;
    const received = await called(clientOf(server.url), {
      data: (sending) => {
        pieces += 1;
        sending.pause();
        if (pieces % 2 === 0) sending.resume();
        else setImmediate(() => sending.resume());
      },
    });
    expect(received.text === 'nexus'.repeat(LARGE / 5 + 1).slice(0, LARGE)).toBe(true);
    expect(received.heard.at(-1)).toBe('end');
  });

  it('a call in vain leaves its connection as it should be for the next one', async () => {
    const server = await chunkingServer(async (socket) => {
      for (const body of ['one', 'two']) {
        socket.resume();
        await receiveRequest(socket);
        socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n${body}\r\n0\r\n\r\n`);
      }
    });
    const client = clientOf(server.url);
    const first = await called(client, { head: (sending) => sending.pause() });
    first.sending?.resume();
    first.sending?.pause();
    expect((await called(client)).text).toBe('two');
    expect(server.connections()).toBe(1);
  });
});
