import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { chunkingServer, receiveRequest, until } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { answering, called, clientOf, OK, send } from './calling.ts';

const KEPT_FOR_2_S = 'HTTP/1.1 200 OK\r\nkeep-alive: timeout=2\r\ncontent-length: 2\r\n\r\nok';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** An answer that nobody asked for. */
const EVIL = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';

describe('An idle connection', () => {
  it('is used up to a second before the server would end it, and ends then', async () => {
    let isEnded = false;
    const server = await answering([KEPT_FOR_2_S, KEPT_FOR_2_S], (socket) => {
      socket.once('close', () => {
        isEnded = true;
      });
    });
    const client = clientOf(server.url);
    await called(client);
    await wait(100);
    await called(client);
    expect(server.connections()).toBe(1);
    const startMs = performance.now();
    await until(() => isEnded);
    expect(performance.now() - startMs).toBeGreaterThan(900);
    expect(performance.now() - startMs).toBeLessThan(3_900);
  });

  it('is idle for no longer because a call on it was given up before it was sent', async () => {
    const server = await answering([KEPT_FOR_2_S, OK]);
    const client = clientOf(server.url);
    await called(client);
    await wait(600);
    const left = await called(client, { sent: (sending) => sending.abort(new Error('left')) });
    expect(left.heard).toEqual(['sent', 'failed']);
    await wait(600);
    expect((await called(client)).text).toBe('ok');
    expect(server.connections()).toBe(2);
  });

  it('that was given nothing to send carries the next call', async () => {
    const server = await answering([OK, OK]);
    const client = clientOf(server.url);
    const left = await called(client, { sent: (sending) => sending.abort(new Error('left')) });
    expect(left.heard).toEqual(['sent', 'failed']);
    expect((await called(client)).text).toBe('ok');
    expect(server.connections()).toBe(1);
  });

  it('is not taken where the answer before it states a body that it has none of', async () => {
    let requests = 0;
    const server = await chunkingServer(async (socket) => {
      while (await receiveRequest(socket).catch(() => undefined)) {
        requests += 1;
        // The body of the first answer comes late: a client that waits for none would take it for the second answer.
        if (requests === 1) socket.write(`HTTP/1.1 204 No Content\r\ncontent-length: ${EVIL.length}\r\n\r\n`);
        else socket.write(server.connections() === 1 ? EVIL + OK : OK);
        socket.resume();
      }
    });
    const client = clientOf(server.url);
    expect((await called(client)).head?.status).toBe(204);
    expect((await called(client)).text).toBe('ok');
  });

  it('that is reset by the server is not taken', async () => {
    let socket: Socket | undefined;
    const server = await answering([OK], (open) => {
      socket = open;
    });
    const client = clientOf(server.url);
    await called(client);
    await until(() => socket !== undefined);
    let isClosed = false;
    socket?.once('close', () => {
      isClosed = true;
    });
    socket?.resetAndDestroy();
    await until(() => isClosed);
    await wait(20);
    expect((await called(client)).text).toBe('ok');
    expect(server.connections()).toBe(2);
  });

  it('is the one that was used last, so that the others may end', async () => {
    let ended = 0;
    const server = await chunkingServer(async (socket) => {
      socket.once('close', () => {
        ended += 1;
      });
      while (await receiveRequest(socket).catch(() => undefined)) {
        socket.write(KEPT_FOR_2_S);
        socket.resume();
      }
    });
    const client = clientOf(server.url);
    await Promise.all([called(client), called(client), called(client)]);
    await until(
      async () => {
        await called(client);
        return ended === 2;
      },
      { everyMs: 100 },
    );
    expect(server.connections()).toBe(3);
  });

  it('may be one of thousands whose time has come: the next call is made all the same', async () => {
    // With a tenth of the usual stack it takes a tenth of the connections.
    const source = `
      import { createServer } from 'node:net';
      import { HttpClient } from '${new URL('../src/index.ts', import.meta.url)}';
      const MANY = 1500;
      const held = [];
      const answer = 'HTTP/1.1 200 OK\\r\\nkeep-alive: timeout=2\\r\\ncontent-length: 2\\r\\n\\r\\nok';
      const server = createServer((socket) => socket.on('error', () => {}).on('data', () => {
        if (held.push(socket) === MANY) for (const one of held) one.write(answer);
        if (held.length > MANY) socket.write(answer);
      }));
      server.listen(0, '127.0.0.1', 4096, async () => {
        const client = new HttpClient({ origin: 'http://127.0.0.1:' + server.address().port, connectMs: 9000, headMs: 9000 });
        const call = () => new Promise((resolve) => client.send({ method: 'POST', path: '/', fields: [], body: Buffer.from('{}') }, {
          onSent() {}, onHead() {}, onData() {}, onEnd: () => resolve('ended'), onFailed: (error) => resolve(error.message),
        }));
        await Promise.all(Array.from({ length: MANY }, call));
        // This process is busy for longer than the connections may be idle.
        for (const start = performance.now(); performance.now() - start < 1100; );
        console.log(await call());
        process.exit();
      });
    `;
    const child = spawn(process.execPath, ['--stack-size=100', '--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await once(child, 'close');
    expect(said.trim()).toBe('ended');
  });
});

describe('A connection', () => {
  it('ends with the call on it that is aborted from outside in the midst of its body', async () => {
    let ended = 0;
    const server = await chunkingServer(async (socket) => {
      socket.once('close', () => {
        ended += 1;
      });
      await receiveRequest(socket);
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc');
      socket.resume();
    });
    const client = clientOf(server.url);
    const [first, other] = [send(client), send(client)];
    await until(() => first.text === 'abc' && other.text === 'abc');
    first.sending?.abort(new Error('left'));
    expect(first.heard).toEqual(['sent', 'head', 'data', 'failed']);
    await until(() => ended === 1);
    expect(other.heard).toEqual(['sent', 'head', 'data']);
  });

  it('stays for the next call when a call is aborted that is over', async () => {
    const server = await answering([OK, OK]);
    const client = clientOf(server.url);
    const first = await called(client);
    first.sending?.abort(new Error('too late'));
    expect(first.heard).toEqual(['sent', 'head', 'data', 'end']);
    const second = send(client);
    await until(() => second.heard.includes('sent'));
    first.sending?.abort(new Error('much too late'));
    await second.over;
    expect([second.text, second.heard.at(-1), server.connections()]).toEqual(['ok', 'end', 1]);
  });
});
