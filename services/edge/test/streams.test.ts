import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Simulator, startSimulator } from '@nexus/simulator';
import { readSse, selfSignedCert, tempDir } from '@nexus/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

  it('gives the first token of a stream at once and every other one as it comes', async () => {
    const steering = { 'x-simulate-tokens': '20', 'x-simulate-tokens-per-second': '20' };
    const startedMs = performance.now();
    const answer = await open(edge.url, PATH, chat({ stream: true }, steering));
    expect(answer.statusCode).toBe(200);
    const arrivals: number[] = [];
    for await (const event of readSse(answer)) if (event.data !== undefined) arrivals.push(event.arrivedMs);
    const first = (arrivals[0] ?? Number.NaN) - startedMs;
    const last = (arrivals.at(-1) ?? Number.NaN) - startedMs;
    // The whole stream takes a second; held back, its events would come together at the end.
    expect(last).toBeGreaterThan(800);
    expect(first).toBeLessThan(last / 2);
    const together = arrivals.filter((ms, i) => i > 0 && ms - (arrivals[i - 1] ?? 0) < 5).length;
    expect(together).toBeLessThan(arrivals.length / 2);
  });

  it('gives a stream as it comes over HTTP/2, too', async () => {
    const session = connectHttp2(edge.url, { ca: selfSignedCert().cert });
    const { headers, body } = chat(
      { stream: true },
      { 'x-simulate-tokens': '10', 'x-simulate-tokens-per-second': '20' },
    );
    const stream = session.request({ ':path': PATH, ':method': 'POST', ...headers });
    stream.end(body);
    const events = await Array.fromAsync(readSse(stream));
    expect(events.at(-1)?.data).toBe('[DONE]');
    expect((events.at(-1)?.arrivedMs ?? Number.NaN) - (events[0]?.arrivedMs ?? Number.NaN)).toBeGreaterThan(
      300,
    );
    session.destroy();
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
