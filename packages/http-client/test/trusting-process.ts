import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';
import { selfSignedCert, tempDir } from '@nexus/testkit';
import { onTestFinished } from 'vitest';

/** A server that is closed at the end of its test. */
export interface RawServer {
  readonly port: number;
  /** Handshakes that were finished, or connections where there are none. */
  readonly connections: () => number;
}

async function started(server: Server, host: string, sockets: ReadonlySet<Socket>): Promise<RawServer> {
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return { port: address.port, connections: () => sockets.size };
}

/** Hands each connection to the script, behind its handshake. */
export function tlsServer(
  script: (socket: Socket) => void,
  options: TlsOptions & { readonly host?: string } = {},
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ ...selfSignedCert(), ...options }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    script(socket);
  });
  return started(server, options.host ?? '127.0.0.1', sockets);
}

export function tcpServer(script: (socket: Socket) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    script(socket);
  });
  return started(server, '127.0.0.1', sockets);
}

/**
 * Runs the source, which may use `client` of the origin and `call(moments, body)`, in a process that trusts the test's certificate: Node reads
 * whom it trusts once. `call` resolves with what was heard, as one text.
 * @returns what it printed
 */
export async function runTrusting(origin: string, source: string): Promise<string> {
  const ca = `${await tempDir()}/ca.pem`;
  await writeFile(ca, selfSignedCert().cert);
  const whole = `
    import { HttpClient } from '${new URL('../src/index.ts', import.meta.url)}';
    const client = new HttpClient({ origin: '${origin}', connectMs: 5000, headMs: 5000 });
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const call = (moments = {}, body = Buffer.from('{}')) => new Promise((resolve) => {
      const heard = [];
      client.send({ method: 'POST', path: '/', fields: [], body }, {
        onSent: (sending) => { heard.push('sent'); moments.sent?.(sending); },
        onHead: (sending, { status }) => { heard.push(status); moments.head?.(sending); },
        onData: (sending, chunk) => { if (moments.data) moments.data(sending, chunk); else heard.push(chunk.toString()); },
        onEnd: () => resolve([...heard, 'end'].join(' ')),
        onFailed: (error) => resolve([...heard, error.code ?? error.message].join(' ')),
      });
    });
    ${source}
    client.close();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', whole], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: ca, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  await once(child, 'close');
  return Buffer.concat(said).toString().trim();
}
