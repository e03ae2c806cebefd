import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { type Simulator, startSimulator } from '@nexus/simulator';
import { readSse, until } from '@nexus/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
/** Three seconds. */
const LONG = { 'x-simulate-tokens': '60', 'x-simulate-tokens-per-second': '20' };

describe.skipIf(nginx.missing)(`a gateway that is told to end${NEEDS_NGINX}`, () => {
  let simulator: Simulator;
  let gateway: RunningGateway;
  let edge: RunningEdge;

  beforeEach(async () => {
    simulator = await startSimulator();
    gateway = await startGateway(simulator.url);
    edge = await startEdge([gateway.port]);
  });

  afterEach(async () => {
    await edge?.close();
    await gateway?.[Symbol.asyncDispose]();
    await simulator?.close();
  });

  it('says so at /ready, takes requests for a moment, then no more, and lets its stream finish', async () => {
    const events = readSse(await open(edge.url, PATH, chat({ stream: true }, LONG)));
    await events.next();
    expect((await ask(edge.url, '/ready')).status).toBe(200);
    const toldMs = performance.now();
    gateway.signal('SIGTERM');

    const notReady = await until(async () => {
      const answer = await ask(edge.url, '/ready');
      return answer.status === 503 && answer;
    });
    expect(JSON.parse(notReady.text)).toEqual({ ready: false });
    expect((await ask(edge.url, PATH, chat())).status).toBe(200);
    const refused = await until(async () => {
      const answer = await ask(edge.url, PATH, chat());
      return answer.status !== 200 && answer;
    });
    expect(performance.now() - toldMs).toBeGreaterThan(900);
    expect(refused.status).toBe(502);
    expect(refused.headers['x-should-retry']).toBe('true');

    let last: string | undefined;
    for await (const event of events) last = event.data ?? last;
    expect(last).toBe('[DONE]');
    expect(await gateway.ended).toEqual({ code: 0, signal: null });
  });

  it('answers what comes behind its last stream, on the connection that the stream had', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const send = (how: ReturnType<typeof chat>) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const options = {
          agent,
          port: gateway.port,
          path: PATH,
          method: 'POST',
          headers: { ...how.headers },
        };
        request({ host: '127.0.0.1', ...options }, resolve)
          .once('error', reject)
          .end(how.body);
      });
    const stream = await send(chat({ stream: true }, LONG));
    const localPort = stream.socket.localPort;
    gateway.signal('SIGTERM');
    for await (const _ of readSse(stream));
    // Longer under way than an instance with nothing to do waits for its last answers to leave.
    const answer = await send(chat({}, { 'x-simulate-latency-ms': '1500' }));
    expect(answer.socket.localPort).toBe(localPort);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers.connection).toBe('close');
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    expect(JSON.parse(Buffer.concat(chunks).toString()).choices).toHaveLength(1);
    expect(await gateway.ended).toEqual({ code: 0, signal: null });
    agent.destroy();
  });

  it('ends at once when it is told twice, and its stream breaks off visibly', async () => {
    const answer = await open(edge.url, PATH, chat({ stream: true }, LONG));
    const events = readSse(answer);
    await events.next();
    gateway.signal('SIGTERM');
    await until(async () => (await ask(edge.url, '/ready')).status === 503);
    // Signals less than a tenth of a second apart are one that came by several ways.
    await new Promise((resolve) => setTimeout(resolve, 150));
    const toldMs = performance.now();
    gateway.signal('SIGTERM');
    const read = async () => {
      for await (const event of events) expect(event.data).not.toBe('[DONE]');
    };
    await expect(read()).rejects.toThrow();
    expect(await gateway.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - toldMs).toBeLessThan(15_000);
  });

  it('keeps its idle connections for longer than nginx does', async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/health`);
    const seconds = Number(/timeout=(\d+)/.exec(answer.headers.get('keep-alive') ?? '')?.[1]);
    for (const folder of ['nexus', 'compose']) {
      const text = readFileSync(new URL(`../../../nginx/${folder}/instances.conf`, import.meta.url), 'utf8');
      const there = Number(/^\s*keepalive_timeout (\d+)s;/m.exec(text)?.[1]);
      expect(there).toBeGreaterThan(0);
      expect(seconds).toBeGreaterThan(there);
    }
  });
});
