import { once } from 'node:events';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { selfSignedCert } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { called, clientOf, OK } from './calling.ts';
import { runTrusting, tcpServer, tlsServer } from './trusting-process.ts';

const answer = (socket: Socket): void => void socket.on('data', () => socket.write(OK));

/** Answers with the body that it got; remembers how each connection was made. */
async function echoServer(): Promise<{ port: number; sessions: boolean[] }> {
  const sessions: boolean[] = [];
  const server = createServer(selfSignedCert(), (req, res) => {
    req.pipe(res);
  });
  server.on('secureConnection', (socket) => sessions.push(socket.isSessionReused()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' && address ? address.port : 0, sessions };
}

describe('Over TLS, to a server that is trusted', () => {
  it.each([
    ['its name', 'localhost', '127.0.0.1', 'TLSv1.3'],
    ['its IPv4 address', '127.0.0.1', '127.0.0.1', 'TLSv1.3'],
    ['its IPv6 address', '[::1]', '::1', 'TLSv1.3'],
    ['its name in TLS 1.2', 'localhost', '127.0.0.1', 'TLSv1.2'],
  ] as const)('calls by %s go over one connection after the other', async (_what, name, host, maxVersion) => {
    const server = await tlsServer(answer, { host, maxVersion });
    const said = await runTrusting(
      `https://${name}:${server.port}`,
      'console.log(await call(), await call());',
    );
    expect(said).toBe('sent 200 ok end sent 200 ok end');
    expect(server.connections()).toBe(1);
  });

  it('nothing is sent where its certificate is for another name', async () => {
    const server = await tlsServer(answer);
    const said = await runTrusting(
      `https://[::ffff:127.0.0.1]:${server.port}`,
      'console.log(await call(), await call());',
    );
    expect(said).toBe('ERR_TLS_CERT_ALTNAME_INVALID ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('nothing is sent where it speaks another protocol than HTTP/1.1', async () => {
    const server = await tlsServer(answer, { ALPNProtocols: ['h2'] });
    const said = await runTrusting(`https://localhost:${server.port}`, 'console.log(await call());');
    expect(said).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  });

  it.each([
    ['speaks no TLS', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['leaves in the handshake', (socket: Socket) => socket.once('data', () => socket.end())],
    ['breaks the handshake off', (socket: Socket) => socket.once('data', () => socket.resetAndDestroy())],
  ])('nothing is sent where it %s', async (_what, script) => {
    const server = await tcpServer((socket) => void script(socket));
    const said = await runTrusting(`https://localhost:${server.port}`, 'console.log(await call());');
    expect(said).toMatch(/^(?:ERR_SSL_\w+|ECONNRESET|EPROTO|broken_off)$/);
  });

  it('a paused answer waits there, and comes in order afterwards', async () => {
    const bytes = 32 * 1024 * 1024;
    const server = await tlsServer((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
        socket.write(Buffer.alloc(bytes, 'nexus'));
      });
    });
    const said = await runTrusting(
      `https://localhost:${server.port}`,
      `const got = []; let sending;
       const over = call({ head: (its) => { its.pause(); sending = its; }, data: (_its, chunk) => void got.push(chunk) });
       await wait(400);
       const early = got.reduce((sum, chunk) => sum + chunk.length, 0);
       sending.resume();
       console.log(early < 1_000_000, await over, Buffer.concat(got).equals(Buffer.alloc(${bytes}, 'nexus')));`,
    );
    expect(said).toBe('true sent 200 end true');
  });

  it('answers that come at once are never mixed, though all are read into one buffer', async () => {
    const bytes = 3_000_000;
    let connections = 0;
    const server = await tlsServer((socket) => {
      connections += 1;
      const letter = String.fromCharCode(96 + connections);
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
        socket.write(Buffer.alloc(bytes, letter));
      });
    });
    const said = await runTrusting(
      `https://localhost:${server.port}`,
      `const one = async () => {
         const got = [];
         await call({ data: (its, chunk) => { got.push(chunk); its.pause(); setImmediate(() => its.resume()); } });
         return got;
       };
       const all = await Promise.all([one(), one(), one(), one()]);
       const letters = all.map((got) => [...new Set(Buffer.concat(got))].map((code) => String.fromCharCode(code)).join(''));
       console.log(letters.sort().join(' '));`,
    );
    expect(said).toBe('a b c d');
  });
});

describe('Over TLS, to a server of node:https', () => {
  it('nothing is sent where nobody vouches for its certificate', async () => {
    const { port } = await echoServer();
    const received = await called(clientOf(`https://localhost:${port}`));
    expect([received.heard, received.code]).toEqual([['failed'], 'DEPTH_ZERO_SELF_SIGNED_CERT']);
  });

  it('many calls at once get each its own answer, in records of any size, and later handshakes are shorter', async () => {
    const { port, sessions } = await echoServer();
    const said = await runTrusting(
      `https://localhost:${port}`,
      `const body = Buffer.alloc(300_000, 'nexus');
       const echo = async () => {
         const got = [];
         await call({ data: (_its, chunk) => void got.push(chunk) }, body);
         return Buffer.concat(got).equals(body);
       };
       const all = [await echo(), ...await Promise.all(Array.from({ length: 20 }, echo))];
       console.log(all.length, all.every((isSame) => isSame));`,
    );
    expect(said).toBe('21 true');
    expect(sessions.filter((isReused) => isReused).length).toBeGreaterThan(10);
  });
});
