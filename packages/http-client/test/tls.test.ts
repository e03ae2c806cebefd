import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { selfSignedCert, tempDir } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { called, clientOf } from './calling.ts';

/** Answers with the body that it got; remembers how each connection was made. */
async function startServer(): Promise<{ server: Server; port: number; sessions: boolean[] }> {
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
  return { server, port: typeof address === 'object' && address ? address.port : 0, sessions };
}

/** Calls in a process of its own, which trusts the test's certificate: Node reads whom it trusts once. */
async function callTrusting(port: number, calls: number, bytes: number): Promise<string> {
  const ca = `${await tempDir()}/ca.pem`;
  await writeFile(ca, selfSignedCert().cert);
  const source = `
    import { HttpClient } from '${new URL('../src/index.ts', import.meta.url)}';
    const client = new HttpClient({ origin: 'https://localhost:${port}', connectMs: 5000, headMs: 5000 });
    const body = Buffer.alloc(${bytes}, 'nexus');
    const call = (fields) => new Promise((resolve) => {
      const got = [];
      client.send({ method: 'POST', path: '/', fields, body }, {
        onSent() {}, onHead() {}, onData: (_sending, chunk) => void got.push(chunk),
        onEnd: () => resolve(Buffer.concat(got).equals(body) ? 'same' : 'another'),
        onFailed: (error) => resolve(error.code ?? error.message),
      });
    });
    const said = [await call(['connection-of-its-own', '1'])];
    said.push(...await Promise.all(Array.from({ length: ${calls} }, () => call([]))));
    console.log([...new Set(said)].join());
    client.close();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: ca, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  await once(child, 'close');
  return Buffer.concat(said).toString().trim();
}

describe('Over TLS', () => {
  it('nothing is sent to a server whose certificate nobody vouches for', async () => {
    const { port } = await startServer();
    const received = await called(clientOf(`https://localhost:${port}`));
    expect([received.heard, received.code]).toEqual([['failed'], 'DEPTH_ZERO_SELF_SIGNED_CERT']);
  });

  it('many calls at once get each its own answer, in records of any size, and later handshakes are shorter', async () => {
    const { port, sessions } = await startServer();
    expect(await callTrusting(port, 20, 300_000)).toBe('same');
    expect(sessions.filter((isReused) => isReused).length).toBeGreaterThan(10);
  });
});
