import { once } from 'node:events';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  chunkingServer,
  freePort,
  rawRequest,
  readSse,
  receiveRequest,
  selfSignedCert,
} from '../src/index.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('rawRequest with a chunkingServer', () => {
  it('sends the very bytes, and gives back the very bytes of the answer', async () => {
    const received: string[] = [];
    const server = await chunkingServer(async (socket) => {
      const { head, body } = await receiveRequest(socket);
      received.push(head, body.toString('latin1'));
      socket.end('HTTP/1.1 299 \xffodd\r\n\r\nwhat\0ever', 'latin1');
    });
    const answer = await rawRequest(server.port, [
      'POST / HTTP/1.1\r\nContent-Length: 3\r\n',
      '\r\na\xe9',
      '\0',
    ]);
    expect(received).toEqual(['POST / HTTP/1.1\r\nContent-Length: 3', 'a\xe9\0']);
    expect(answer).toMatchObject({ text: 'HTTP/1.1 299 \xffodd\r\n\r\nwhat\0ever', end: 'closed' });
    expect(server.connections()).toBe(1);
  });

  it('tells a reset from a close', async () => {
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.resetAndDestroy();
    });
    expect(await rawRequest(server.port, 'GET / HTTP/1.1\r\n\r\n')).toMatchObject({ text: '', end: 'reset' });
  });

  it('stops waiting when the text matches, or after its time, with the connection still open', async () => {
    const server = await chunkingServer((socket) => {
      socket.write('one two');
    });
    expect((await rawRequest(server.port, '', { until: /two/ })).end).toBe('still open');
    const answer = await rawRequest(server.port, '', { withinMs: 50 });
    expect(answer).toMatchObject({ text: 'one two', end: 'still open' });
  });

  it('rejects where nobody listens', async () => {
    await expect(rawRequest(await freePort(), '')).rejects.toThrow('ECONNREFUSED');
  });

  it('reads a chunked request to its last chunk', async () => {
    const bodies: string[] = [];
    const server = await chunkingServer(async (socket) => {
      bodies.push((await receiveRequest(socket)).body.toString());
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
    await rawRequest(server.port, [
      'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n',
      '3\r\nabc\r\n',
      '0\r\n\r\n',
    ]);
    expect(bodies).toEqual(['3\r\nabc\r\n0\r\n\r\n']);
  });

  it('gives the error of a script to the one who closes the server', async () => {
    let close = async (): Promise<void> => {};
    const failing = async (): Promise<void> => {
      const server = await chunkingServer(() => {
        throw new Error('the script is wrong');
      });
      close = server.close;
      await rawRequest(server.port, '');
    };
    const environment = process.env.VITEST;
    delete process.env.VITEST;
    try {
      await failing();
    } finally {
      process.env.VITEST = environment;
    }
    await expect(close()).rejects.toThrow('the script is wrong');
  });
});

describe('readSse', () => {
  it('gives each event when it is whole, however the bytes are cut, with the time it came', async () => {
    let sendRest = (): void => {};
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: {"a":1}\n\n',
      );
      await new Promise<void>((resolve) => {
        sendRest = resolve;
      });
      socket.end(': wait\r\n\r\nevent: done\r\ndata: x\r\ndata: y\r\n\r\ndata: cut off');
    });
    const events = readSse(await fetch(server.url));
    const first = await events.next();
    expect(first.value).toMatchObject({ event: 'message', data: '{"a":1}' });
    const askedMs = performance.now();
    sendRest();
    const rest = await all(events);
    expect(rest).toMatchObject([
      { data: undefined, comments: ['wait'] },
      { event: 'done', data: 'x\ny' },
    ]);
    expect(rest[0]?.arrivedMs).toBeGreaterThanOrEqual(askedMs);
  });

  it('reads the same events whether the stream comes whole or byte by byte, with LF, CRLF or CR', async () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const bytes = Buffer.from(
        `data: é 😀${end}${end}:c${end}data${end}${end}event: e${end}data:  two${end}${end}x`,
      );
      const wholeChunks = async function* () {
        yield bytes;
      };
      const singleBytes = async function* () {
        for (const byte of bytes) yield Uint8Array.of(byte);
      };
      for (const chunks of [wholeChunks(), singleBytes()]) {
        const events = await all(readSse(chunks));
        expect(events.map(({ event, data, comments }) => [event, data, comments])).toEqual([
          ['message', 'é 😀', []],
          ['message', '', ['c']],
          ['e', ' two', []],
        ]);
      }
    }
  });

  it('throws when the connection breaks in the middle', async () => {
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: 1\n\n', () =>
        socket.resetAndDestroy(),
      );
    });
    await expect((async () => all(readSse(await fetch(server.url))))()).rejects.toThrow();
  });
});

describe('selfSignedCert', () => {
  it('serves TLS that a client trusts who was given the certificate, by name and by address', async () => {
    const { cert, key } = selfSignedCert();
    const server = createTlsServer({ cert, key }, (socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    for (const servername of ['localhost', '']) {
      const socket = connectTls({ port, host: '127.0.0.1', ca: cert, servername });
      expect(`${(await socket.toArray()).join('')} ${socket.authorized}`).toBe('hello true');
    }
    server.close();
  });
});
