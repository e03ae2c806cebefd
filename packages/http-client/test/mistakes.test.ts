import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { ClientError, HttpClient } from '../src/index.ts';
import { answering, called, clientOf, OK, post, Received, send } from './calling.ts';

/** Makes a mistake as it hears of its failure. */
class Clumsy extends Received {
  override onFailed(error: Error): void {
    super.onFailed(error);
    throw new Error('mine');
  }
}

function nextUncaught(): Promise<unknown> {
  return new Promise((resolve) => process.once('uncaughtException', resolve));
}

describe('A receiver that throws when it hears of its failure', () => {
  it('keeps none of the others from hearing that their time is up', async () => {
    const server = await answering([OK]);
    const client = clientOf(server.url, { headMs: 60 });
    // On connections that are there already, all three leave together, so that their time is up together.
    await Promise.all([called(client), called(client), called(client)]);
    const uncaught = nextUncaught();
    const clumsy = new Clumsy();
    client.send(post(), clumsy);
    const others = [send(client), send(client)];
    await uncaught;
    await until(() => others.every(({ heard }) => heard.at(-1) === 'failed'), { withinMs: 5_000 });
    expect(others.map(({ code }) => code)).toEqual(['head_timeout', 'head_timeout']);
  });

  it('keeps none of the others from hearing that the client was closed', async () => {
    const server = await answering([]);
    const client = new HttpClient({ origin: server.url, connectMs: 5_000, headMs: 5_000 });
    const clumsy = new Clumsy();
    client.send(post(), clumsy);
    const others = [send(client), send(client)];
    await until(() => [clumsy, ...others].every(({ heard }) => heard.includes('sent')));
    const uncaught = nextUncaught();
    client.close();
    expect(await uncaught).toEqual(new Error('mine'));
    await until(() => others.every(({ heard }) => heard.at(-1) === 'failed'), { withinMs: 5_000 });
    expect(others.map(({ code }) => code)).toEqual(['client_closed', 'client_closed']);
  });
});

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

describe('A client', () => {
  it('that is closed keeps no socket, idle or connecting or at work', async () => {
    const ended: string[] = [];
    const server = await chunkingServer(async (socket) => {
      socket.once('close', () => ended.push('closed'));
      while (await receiveRequest(socket).catch(() => undefined)) {
        socket.write(ended.length === 0 && server.connections() === 1 ? OK : '');
        socket.resume();
      }
    });
    const client = clientOf(server.url);
    await called(client);
    const [working, second] = [send(client), send(client)];
    await until(() => working.heard.includes('sent') && second.heard.includes('sent'));
    const connecting = send(client);
    client.close();
    client.close();
    await Promise.all([working.over, second.over, connecting.over]);
    await until(() => ended.length === server.connections());
    expect(server.connections()).toBe(2);
  });

  it('that is closed as a call goes out tells the call so once', async () => {
    const server = await answering([OK, OK]);
    const client = clientOf(server.url);
    await called(client);
    const received = await called(client, { sent: () => client.close() });
    expect(received.heard).toEqual(['sent', 'failed']);
    expect(received.error).toBeInstanceOf(ClientError);
  });
});
