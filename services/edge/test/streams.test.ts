import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Simulator, startSimulator } from '@nexus/simulator';
import { readSse, selfSignedCert, tempDir } from '@nexus/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { ask, chat, open } from './https-client.ts';
import {
  NEEDS_NGINX,
  nginx,
  type RunningEdge,
  type RunningGateway,
  startEdge,
  startGateway,
} from './running-edge.ts';

const PATH = '/v1/chat/completions';
const SDK_PROGRAM = fileURLToPath(new URL('./sdk-program.ts', import.meta.url));

describe.skipIf(nginx.missing)(`answers through nginx${NEEDS_NGINX}`, () => {
  let simulator: Simulator;
  let gateways: RunningGateway[];
  let edge: RunningEdge;

  beforeAll(async () => {
    simulator = await startSimulator();
    gateways = await Promise.all([startGateway(simulator.url), startGateway(simulator.url)]);
    edge = await startEdge(gateways.map(({ port }) => port));
  });

  afterAll(async () => {
    await edge?.close();
    await Promise.all(gateways?.map((gateway) => gateway[Symbol.asyncDispose]()) ?? []);
    await simulator?.close();
  });

  it.each(['HTTP/1.1', 'HTTP/2'])('gives every event of a stream as it comes, over %s', async (version) => {
    // Each event is sent when the client has the one before: held back anywhere, none would come.
    const upstream = await slowUpstream();
    onTestFinished(upstream.close);
    const gateway = await startGateway(upstream.url);
    onTestFinished(() => gateway[Symbol.asyncDispose]());
    const before = await startEdge([gateway.port]);
    onTestFinished(before.close);

    const how = chat({ stream: true });
    let answered: Promise<AsyncIterable<Uint8Array>>;
    if (version === 'HTTP/2') {
      const session = connectHttp2(before.url, { ca: selfSignedCert().cert });
      onTestFinished(() => session.destroy());
      const stream = session.request({ ':path': PATH, ':method': 'POST', ...how.headers });
      stream.end(how.body);
      answered = Promise.resolve(stream);
    } else answered = open(before.url, PATH, how);
    const answer = await upstream.asked;
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    const event = (content: string) => JSON.stringify({ choices: [{ index: 0, delta: { content } }] });
    answer.write(`data: ${event('0')}\n\n`);
    const events = readSse(await answered);
    for (let count = 1; count <= 5; count++) {
      expect((await events.next()).value?.data).toBe(event(`${count - 1}`));
      answer.write(`data: ${event(`${count}`)}\n\n`);
    }
    answer.end('data: [DONE]\n\n');
    const rest: (string | undefined)[] = [];
    for await (const { data } of events) rest.push(data);
    expect(rest).toEqual([event('5'), '[DONE]']);
  });

  it('gives the bytes that the upstream gave', async () => {
    const through = await ask(edge.url, PATH, chat());
    const body = await (await fetch(`${simulator.url}${PATH}`, plain(chat()))).text();
    expect(through.status).toBe(200);
    expect(through.text).toBe(body);
  });

  it('breaks a stream off where the upstream broke it off', async () => {
    const steering = { 'x-simulate-fault': 'reset-midstream', 'x-simulate-after-chunks': '3' };
    const answer = await open(edge.url, PATH, chat({ stream: true }, steering));
    const read = async () => {
      for await (const event of readSse(answer)) expect(event.data).not.toBe('[DONE]');
    };
    await expect(read()).rejects.toThrow();
  });

  it('serves the newest SDK, whole answers and streams', async () => {
    const folder = await tempDir();
    writeFileSync(join(folder, 'ca.pem'), selfSignedCert().cert);
    const { stdout } = await promisify(execFile)(process.execPath, [SDK_PROGRAM, `${edge.url}/v1`], {
      env: { ...process.env, NODE_OPTIONS: '', NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
    });
    const { whole, streamed } = JSON.parse(stdout);
    expect(whole.length).toBeGreaterThan(10);
    expect(streamed).toBe(whole);
  });

  it('opens a WebSocket on the realtime path and nowhere else', async () => {
    const address = edge.url.replace('https:', 'wss:');
    const options = { ca: selfSignedCert().cert, headers: { authorization: 'Bearer sk-test-key' } };
    const socket = new WebSocket(`${address}/v1/realtime?model=gpt-realtime`, ['realtime'], options);
    const echoed = await new Promise((resolve, reject) => {
      socket.once('open', () => socket.send('hello'));
      socket.once('message', (bytes) => resolve(`${bytes}`));
      socket.once('error', reject);
    });
    expect(echoed).toBe('hello');
    expect(socket.protocol).toBe('realtime');
    socket.close();

    const elsewhere = new WebSocket(`${address}/v1/models`, options);
    await expect(
      new Promise((resolve, reject) => {
        elsewhere.once('open', resolve);
        elsewhere.once('error', reject);
      }),
    ).rejects.toThrow('Unexpected server response: 200');
  });

  it('spreads requests over the instances', async () => {
    for (let i = 0; i < 8; i++) {
      expect((await ask(edge.url, PATH, chat({}, { 'x-request-id': `spread-${i}` }))).status).toBe(200);
    }
    const spread = (gateway: RunningGateway) =>
      gateway.requestLog().filter(({ request_id }) => `${request_id}`.startsWith('spread-')).length;
    await expect.poll(() => gateways.map(spread)).toEqual([4, 4]);
  });
});

function plain({ headers, body }: ReturnType<typeof chat>): RequestInit {
  return { method: 'POST', headers: { ...headers }, body: String(body) };
}

/** An upstream whose one answer the test writes. */
async function slowUpstream() {
  let tell: (answer: ServerResponse) => void = () => {};
  const asked = new Promise<ServerResponse>((resolve) => {
    tell = resolve;
  });
  const server = createServer((req, res) => {
    req.resume();
    tell(res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${address.port}`, asked, close };
}
