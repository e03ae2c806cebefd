import { chunkingServer, freePort, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { answering, called, clientOf, OK, send } from './calling.ts';

const BEGUN = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc';
const BEGUN_CHUNKS = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n';

describe('A call fails', () => {
  it('before it is sent where nobody listens', async () => {
    const received = await called(clientOf(`http://127.0.0.1:${await freePort()}`));
    expect([received.heard, received.code]).toEqual([['failed'], 'ECONNREFUSED']);
  });

  it('before it is sent where no connection is made in time, with its handshake', async () => {
    const server = await chunkingServer((socket) => void socket.resume());
    const received = await called(clientOf(`https://127.0.0.1:${server.port}`, { connectMs: 50 }));
    expect([received.heard, received.code]).toEqual([['failed'], 'connect_timeout']);
  });

  it.each([
    ['before its answer', ''],
    ['in the midst of the head', 'HTTP/1.1 200 OK\r\ncontent-'],
    ['in the midst of the body', BEGUN],
    ['in the midst of the chunks', BEGUN_CHUNKS],
    ['before the last chunk', `${BEGUN_CHUNKS}0\r\n`],
    ['after an answer that isn’t final', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('where the server ends the connection %s', async (_when, bytes) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const server = await answering([bytes], (socket) => setTimeout(() => socket[end](), 20));
      const received = await called(clientOf(server.url));
      expect(received.heard.at(-1)).toBe('failed');
      expect(['broken_off', 'ECONNRESET']).toContain(received.code);
    }
  });

  it.each([
    ['something else than HTTP', '220 mail.example ESMTP\r\n'],
    ['no status', 'HTTP/1.1 \r\n\r\n'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
    ['line ends that are none', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`],
    ['a head too large', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(70_000)}\r\n\r\n`],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'],
    ['invalid chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
  ])('at once where the server sends %s', async (_what, bytes) => {
    const server = await answering([bytes]);
    const received = await called(clientOf(server.url));
    expect([received.heard.at(-1), received.code]).toEqual(['failed', 'invalid_answer']);
  });

  it('where no head comes in time, also if others than the final one do', async () => {
    const server = await answering(['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2']);
    const client = clientOf(server.url, { headMs: 80 });
    const startMs = performance.now();
    const both = await Promise.all([called(client), called(client)]);
    expect(both.map(({ code }) => code)).toEqual(['head_timeout', 'head_timeout']);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(79);
  });

  it('not where only the body takes long', async () => {
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write(BEGUN);
      setTimeout(() => socket.write('defghi'), 1_500);
    });
    expect((await called(clientOf(server.url, { headMs: 1_000 }))).text).toBe('abcdefghi');
  });

  it('with its client', async () => {
    const server = await answering([BEGUN]);
    const client = clientOf(server.url);
    const [begun, waiting] = [send(client), send(client)];
    await until(() => begun.text === 'abc' && waiting.text === 'abc');
    const late = send(client);
    client.close();
    await Promise.all([begun.over, waiting.over, late.over]);
    expect([begun.code, waiting.code, late.code]).toEqual([
      'client_closed',
      'client_closed',
      'client_closed',
    ]);
    expect((await called(client)).code).toBe('client_closed');
  });
});

describe('A receiver', () => {
  it.each(['sent', 'head', 'data'] as const)(
    'may abort when it hears of %s: it hears of that, and of nothing more',
    async (moment) => {
      let isEnded = false;
      const server = await chunkingServer(async (socket) => {
        socket.on('error', () => {});
        socket.once('close', () => {
          isEnded = true;
        });
        await receiveRequest(socket).then(
          () => socket.write(OK),
          () => {},
        );
        socket.resume();
      });
      const reason = new Error('enough');
      const client = clientOf(server.url);
      const received = await called(client, { [moment]: abortWith(reason) });
      expect(received.heard.slice(-2)).toEqual([moment, 'failed']);
      expect(received.error).toBe(reason);
      if (moment !== 'sent') await until(() => isEnded);
      received.sending?.abort(new Error('again'));
      received.sending?.pause();
      received.sending?.resume();
      expect(received.heard.filter((what) => what === 'failed')).toEqual(['failed']);
    },
  );

  it('may abort while it waits for the head: the connection ends', async () => {
    let isEnded = false;
    const server = await answering([''], (socket) => {
      socket.once('close', () => {
        isEnded = true;
      });
    });
    const received = send(clientOf(server.url));
    await until(() => received.heard.includes('sent'));
    received.sending?.abort(new Error('left'));
    await until(() => isEnded);
    expect(received.heard).toEqual(['sent', 'failed']);
  });

  it.each(['sent', 'head', 'data', 'end'] as const)(
    'that throws when it hears of %s is told of that as a failure',
    async (moment) => {
      const server = await answering([OK]);
      const mistake = new Error('mine');
      const received = await called(clientOf(server.url), {
        [moment]: () => {
          throw mistake;
        },
      });
      await until(() => received.heard.at(-1) === 'failed');
      expect(received.error).toBe(mistake);
    },
  );
});

function abortWith(reason: Error): (sending: { abort(reason: Error): void }) => void {
  return (sending) => sending.abort(reason);
}
