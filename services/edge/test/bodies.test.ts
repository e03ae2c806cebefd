import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { chunkingServer, freePort, receiveRequest, selfSignedCert, until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, chat, errorIn } from './https-client.ts';
import { recordingInstance } from './recording-instance.ts';
import { NEEDS_NGINX, nginx, startEdge } from './running-edge.ts';

const PATH = '/v1/chat/completions';
const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';

/** nginx in front of instances, ended with the test. */
async function edgeBefore(
  instances: readonly number[],
  changes?: Readonly<Record<string, string>>,
): ReturnType<typeof startEdge> {
  const edge = await startEdge(instances, changes);
  onTestFinished(edge.close);
  return edge;
}

describe.skipIf(nginx.missing)(`a request on its way through nginx${NEEDS_NGINX}`, () => {
  it('waits in nginx until its body is whole, then reaches an instance in one piece', async () => {
    const requests: { head: string; body: Buffer }[] = [];
    const instance = await chunkingServer(async (socket) => {
      requests.push(await receiveRequest(socket));
      socket.write(OK);
    });
    const edge = await edgeBefore([instance.port]);
    const { cert } = selfSignedCert();
    const client = connect({ port: edge.port, host: '127.0.0.1', ca: cert, servername: 'localhost' });
    onTestFinished(() => void client.destroy());
    client.write(`POST ${PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000\r\n\r\n`);
    for (let piece = 0; piece < 3; piece++) {
      client.write('x'.repeat(1000));
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(instance.connections()).toBe(0);
    }
    client.write('x'.repeat(1000));
    const answer = await new Promise((resolve) => client.once('data', resolve));
    expect(`${answer}`).toContain('HTTP/1.1 200');
    expect(requests).toHaveLength(1);
    expect(requests[0]?.body).toHaveLength(4000);
  });

  it('passes a big upload on while it comes', async () => {
    let head = '';
    const instance = await chunkingServer((socket) => {
      socket.on('data', (bytes) => {
        head += bytes.toString('latin1');
      });
    });
    const edge = await edgeBefore([instance.port]);
    const { cert } = selfSignedCert();
    const client = connect({ port: edge.port, host: '127.0.0.1', ca: cert, servername: 'localhost' });
    onTestFinished(() => void client.destroy());
    client.write('POST /v1/files HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000000\r\n\r\nfirst part');
    await until(() => head.includes('first part'));
  });

  it('is not sent again when the instance breaks off after it was sent', async () => {
    const instance = () =>
      chunkingServer(async (socket) => {
        await receiveRequest(socket);
        socket.destroy();
      });
    const instances = [await instance(), await instance()];
    const edge = await edgeBefore(instances.map(({ port }) => port));
    const answer = await ask(edge.url, PATH, chat());
    expect(answer.status).toBe(502);
    expect(errorIn(answer.text)).toMatchObject({ type: 'server_error', code: 'gateway_unreachable' });
    expect(answer.headers['x-should-retry']).toBe('false');
    expect(instances.reduce((sum, { connections }) => sum + connections(), 0)).toBe(1);
  });

  it('is not sent again when the instance doesn’t answer in time', async () => {
    const instance = () => chunkingServer(async (socket) => void (await receiveRequest(socket)));
    const instances = [await instance(), await instance()];
    const edge = await edgeBefore(
      instances.map(({ port }) => port),
      { 'proxy_read_timeout 660s': 'proxy_read_timeout 300ms' },
    );
    const answer = await ask(edge.url, PATH, chat());
    expect(answer.status).toBe(504);
    expect(errorIn(answer.text).code).toBe('gateway_timeout');
    expect(answer.headers['x-should-retry']).toBe('false');
    expect(instances.reduce((sum, { connections }) => sum + connections(), 0)).toBe(1);
  });

  it('goes to the next instance when one refuses the connection', async () => {
    const alive = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      socket.end(OK.replace('content-length', 'connection: close\r\ncontent-length'));
    });
    const edge = await edgeBefore([await freePort(), alive.port]);
    for (let i = 0; i < 6; i++) expect((await ask(edge.url, PATH, chat())).status).toBe(200);
    expect(alive.connections()).toBe(6);
  });

  it('goes on to a third instance, whole, when two refuse the connection', async () => {
    const bodies: Buffer[] = [];
    const alive = await chunkingServer(async (socket) => {
      bodies.push((await receiveRequest(socket)).body);
      socket.end(OK.replace('content-length', 'connection: close\r\ncontent-length'));
    });
    const edge = await edgeBefore([await freePort(), await freePort(), alive.port]);
    // More than nginx keeps in memory.
    const body = randomBytes(1_000_000);
    for (let i = 0; i < 4; i++) {
      expect((await ask(edge.url, '/v1/embeddings?a=%2F', { body })).status).toBe(200);
      expect(bodies.pop()?.equals(body)).toBe(true);
    }
  });

  it('gets no 502 when it comes as an idle connection to an instance ends', async () => {
    const instance = await recordingInstance();
    // nginx lets go after 200 ms; the requests come just before, at, and after that.
    const edge = await edgeBefore([instance.port], { 'keepalive_timeout 60s': 'keepalive_timeout 200ms' });
    for (const idleMs of [50, 50, 150, 190, 195, 198, 199, 200, 201, 202, 205, 210, 250]) {
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      expect((await ask(edge.url, PATH, chat())).status).toBe(200);
    }
    // Some needed a new connection, and one that is idle for less is used again.
    expect(instance.connections()).toBeGreaterThan(1);
    await until(async () => {
      const before = instance.connections();
      expect((await ask(edge.url, PATH, chat())).status).toBe(200);
      return instance.connections() === before;
    });
  });
});

it('may be as large in nginx as in Nexus', () => {
  const read = (file: string) => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  // The first is the server's; big uploads have their own.
  const edge = /^ {8}client_max_body_size (\d+)m;/m.exec(read('nginx/nginx.conf'))?.[1];
  const { default: own } = JSON.parse(read('docs/config.schema.json')).properties.body_limit;
  expect(own).toBe(`${edge}MB`);
});
