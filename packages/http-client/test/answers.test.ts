import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { answering, called, clientOf, OK, post, send } from './calling.ts';

describe('A call', () => {
  it('sends the request as it stands, with the fields that are the connection’s', async () => {
    let request = '';
    const server = await chunkingServer(async (socket) => {
      const { head, body } = await receiveRequest(socket);
      request = `${head}|${body.toString('latin1')}`;
      socket.end(OK);
    });
    const fields = ['X-Custom', 'Caf\xe9', 'x-custom', 'again'];
    const body = Buffer.from([0, 255, 13, 10]);
    await called(clientOf(server.url), {}, post({ path: '/v1/x?y=1', fields, body }));
    expect(request).toBe(
      [
        'POST /v1/x?y=1 HTTP/1.1',
        `host: 127.0.0.1:${server.port}`,
        'connection: keep-alive',
        'X-Custom: Caf\xe9',
        'x-custom: again',
        'content-length: 4|\0\xff\r\n',
      ].join('\r\n'),
    );
  });

  it('sends a body of megabytes as it sends a small one', async () => {
    const bytes = Buffer.alloc(5_000_000, 'nexus');
    let came: Buffer | undefined;
    const server = await chunkingServer(async (socket) => {
      came = (await receiveRequest(socket)).body;
      socket.end(OK);
    });
    expect((await called(clientOf(server.url), {}, post({ body: bytes }))).text).toBe('ok');
    expect(came?.equals(bytes)).toBe(true);
  });

  it.each([
    ['a line end in a value', { fields: ['x', 'a\r\nevil: 1'] }],
    ['a NUL in a value', { fields: ['x', 'a\0'] }],
    ['a character beyond latin1', { fields: ['x', '€'] }],
    ['a line end in a name', { fields: ['x\r\nevil', '1'] }],
    ['no name', { fields: ['', '1'] }],
    ['a blank in the path', { path: '/v1/x HTTP/1.1' }],
    ['a line end in the path', { path: '/v1\r\nevil: 1' }],
    ['a path that is none', { path: 'v1' }],
  ])('with %s is refused before anything is sent, in words that repeat no value', async (_what, parts) => {
    const server = await answering([OK]);
    const client = clientOf(server.url);
    expect(() => send(client, {}, post(parts))).toThrow(TypeError);
    expect(() => send(client, {}, post(parts))).not.toThrow(/evil|€/);
    expect((await called(client)).text).toBe('ok');
    expect(server.connections()).toBe(1);
  });
});

describe('An answer', () => {
  it.each([
    ['of a stated length', OK, 'ok'],
    [
      'in chunks',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x\r\nk\r\n0\r\nt: 1\r\n\r\n',
      'ok',
    ],
    [
      'behind others that are not final',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n${OK}`,
      'ok',
    ],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['of length 0', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', ''],
  ])('%s is given as it came', async (_what, bytes, text) => {
    const server = await answering([bytes, OK]);
    const client = clientOf(server.url);
    const received = await called(client);
    expect(received.heard).toEqual(['sent', 'head', ...(text === '' ? [] : ['data']), 'end']);
    expect(received.text).toBe(text);
    expect((await called(client)).text).toBe('ok');
    expect(server.connections()).toBe(1);
  });

  it('that ends with its connection is whole when the server ends it', async () => {
    const server = await answering(['HTTP/1.1 200 OK\r\n\r\nall of it'], (socket) => socket.end());
    const received = await called(clientOf(server.url));
    expect([received.text, received.heard.at(-1)]).toEqual(['all of it', 'end']);
  });

  it('is given piece by piece, each as soon as it is there', async () => {
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n');
      await until(() => received.heard.includes('head'));
      socket.write('ab');
      await until(() => received.text === 'ab');
      socket.write('cd');
    });
    const received = send(clientOf(server.url));
    await received.over;
    expect(received.text).toBe('abcd');
  });

  it('is the same when its bytes arrive one by one', async () => {
    const bytes = 'HTTP/1.1 200 OK\r\nX-A: b\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';
    const server = await chunkingServer(async (socket) => {
      socket.setNoDelay(true);
      await receiveRequest(socket);
      for (const byte of bytes) {
        socket.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const received = await called(clientOf(server.url));
    expect([received.text, received.head?.fields.get('x-a')]).toEqual(['ok', 'b']);
  });

  it('waits at the server while it is paused, however much there is of it', async () => {
    const large = 64 * 1024 * 1024;
    let isWritten = false;
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${large}\r\n\r\n`);
      socket.write(Buffer.alloc(large), () => {
        isWritten = true;
      });
    });
    let bytes = 0;
    const received = send(clientOf(server.url), {
      head: (sending) => sending.pause(),
      data: (_sending, chunk) => {
        bytes += chunk.length;
      },
    });
    await until(() => received.sending?.paused === true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(isWritten).toBe(false);
    expect(bytes).toBeLessThan(1_000_000);
    received.sending?.resume();
    await received.over;
    expect(bytes).toBe(large);
  });

  it('that is paused in its last piece leaves its connection to the next call', async () => {
    const server = await answering([OK, OK]);
    const client = clientOf(server.url);
    await called(client, { data: (sending) => sending.pause() });
    expect((await called(client)).text).toBe('ok');
    expect(server.connections()).toBe(1);
  });
});
