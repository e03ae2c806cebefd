import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { answering, called, clientOf, OK, post, send } from './calling.ts';

describe('Connections', () => {
  it('carry one call after another, and there are as many as calls at a time', async () => {
    const server = await answering([OK, OK, OK]);
    const client = clientOf(server.url);
    await called(client);
    await called(client);
    expect(server.connections()).toBe(1);
    await Promise.all([called(client), called(client), called(client)]);
    expect(server.connections()).toBe(3);
  });

  it.each([
    ['says so', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
    ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    [
      'keeps idle connections for no time',
      'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok',
    ],
  ])('are not used again where the server %s', async (_what, answer) => {
    const server = await answering([answer, OK]);
    const client = clientOf(server.url);
    await called(client);
    expect((await called(client)).text).toBe('ok');
    expect(server.connections()).toBe(2);
  });

  it('end after four seconds without a call', async () => {
    let isEnded = false;
    const server = await answering([OK], (socket) => {
      socket.once('close', () => {
        isEnded = true;
      });
    });
    await called(clientOf(server.url));
    const startMs = performance.now();
    await until(() => isEnded);
    expect(performance.now() - startMs).toBeGreaterThan(3_500);
  });

  it('that the server has ended are not used again', async () => {
    let ended = 0;
    const server = await answering([OK], (socket) => {
      socket.end();
      socket.once('close', () => {
        ended += 1;
      });
    });
    const client = clientOf(server.url);
    await called(client);
    await until(() => ended === 1);
    const second = await called(client);
    expect([second.text, server.connections()]).toEqual(['ok', 2]);
  });

  it.each([
    ['behind it', `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`, ''],
    ['on the idle connection', OK, 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'],
  ])(
    'never give what nobody asked for to the next call: bytes that came %s',
    async (_where, answer, later) => {
      let isEnded = false;
      const server = await answering([answer], (socket) => {
        socket.once('close', () => {
          isEnded = true;
        });
        if (later !== '') setTimeout(() => socket.write(later), 20);
      });
      const client = clientOf(server.url);
      expect((await called(client)).text).toBe('ok');
      await until(() => isEnded);
      const next = send(client);
      await next.over;
      expect(next.text).not.toContain('evil');
      expect(server.connections()).toBe(2);
    },
  );

  it('are not used again where an answer came before its request was sent', async () => {
    const server = await chunkingServer(async (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno');
      });
    });
    const client = clientOf(server.url);
    const large = post({ body: Buffer.alloc(32 * 1024 * 1024) });
    const received = await called(client, {}, large);
    expect([received.head?.status, received.text, received.heard.at(-1)]).toEqual([413, 'no', 'end']);
    await called(client, {}, large);
    expect(server.connections()).toBe(2);
  });

  it('lead to a server on IPv6 too', async () => {
    const { createServer } = await import('node:net');
    const server = createServer(async (socket) => {
      await receiveRequest(socket);
      socket.end(OK);
    });
    await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    expect((await called(clientOf(`http://[::1]:${port}`))).text).toBe('ok');
    server.close();
  });
});
