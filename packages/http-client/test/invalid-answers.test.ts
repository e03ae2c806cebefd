import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ClientError } from '../src/index.ts';
import { answering, called, clientOf, OK, send } from './calling.ts';

describe('An answer', () => {
  it.each([
    ['data behind the end of its chunk', '3\r\nabcXYZ'],
    ['a size that can’t become one', 'zzz'],
    ['a size beyond all memory', 'fffffffffffffffff'],
  ])('with %s fails at once, without the end of the line', async (_what, body) => {
    const server = await answering([`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`]);
    const received = send(clientOf(server.url));
    await until(() => received.heard.includes('head'));
    await until(() => received.heard.at(-1) === 'failed', { withinMs: 5_000 });
    expect(received.code).toBe('invalid_answer');
  });

  it('may have a head of almost 64 KB, in as many pieces as the network likes', async () => {
    const value = 'v'.repeat(60_000);
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      const head = `HTTP/1.1 200 OK\r\nx: ${value}\r\ncontent-length: 2\r\n\r\nok`;
      for (let at = 0; at < head.length; at += 997) {
        socket.write(head.slice(at, at + 997));
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const received = await called(clientOf(server.url));
    expect([received.text, received.head?.fields.get('x') === value]).toEqual(['ok', true]);
  });

  it('has no fields but its own: `constructor` and `__proto__` are names as others', async () => {
    const answer =
      'HTTP/1.1 200 OK\r\n__proto__: p\r\nconstructor: c\r\ntoString: t\r\ncontent-length: 0\r\n\r\n';
    const server = await answering([answer, OK]);
    const client = clientOf(server.url);
    const { head } = await called(client);
    expect(['__proto__', 'constructor', 'tostring'].map((name) => head?.fields.get(name))).toEqual([
      'p',
      'c',
      't',
    ]);
    const other = (await called(client)).head?.fields;
    expect(['__proto__', 'constructor', 'tostring'].map((name) => other?.get(name))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('that breaks off in its body is not whole: the failure is a ClientError, and the last that is heard', async () => {
    const server = await answering(
      ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n'],
      (socket) => socket.end(),
    );
    const received = await called(clientOf(server.url));
    expect(received.heard).toEqual(['sent', 'head', 'data', 'failed']);
    expect(received.error).toBeInstanceOf(ClientError);
    expect(received.code).toBe('broken_off');
  });

  it('that ends with its connection is not whole when the connection is reset', async () => {
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.write('HTTP/1.1 200 OK\r\n\r\nhalf');
      await until(() => received.text === 'half');
      socket.resetAndDestroy();
    });
    const received = send(clientOf(server.url));
    await received.over;
    expect([received.heard.at(-1), received.code]).toEqual(['failed', 'ECONNRESET']);
  });
});
