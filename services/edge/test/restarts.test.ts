import { type Simulator, startSimulator } from '@nexus/simulator';
import { readSse } from '@nexus/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chat, open } from './https-client.ts';
import { failedOf, startLoad } from './load.ts';
import {
  NEEDS_NGINX,
  nginx,
  type RunningEdge,
  type RunningGateway,
  startEdge,
  startGateway,
} from './running-edge.ts';

describe.skipIf(nginx.missing)(`gateways that go and come behind nginx${NEEDS_NGINX}`, () => {
  let simulator: Simulator;
  let gateways: RunningGateway[];
  let edge: RunningEdge;

  beforeEach(async () => {
    simulator = await startSimulator({ record: false });
    gateways = await Promise.all([startGateway(simulator.url), startGateway(simulator.url)]);
    edge = await startEdge(gateways.map(({ port }) => port));
  });

  afterEach(async () => {
    await edge?.close();
    for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
    await simulator?.close();
  });

  it('lose none of 1,000 requests and no stream over 4 rolling restarts at 110 requests a second', async () => {
    const load = startLoad(edge.url, 110);
    const streams: Promise<string | undefined>[] = [];
    const startedMs = performance.now();
    for (let restart = 0; restart < 4; restart++) {
      const slot = restart % gateways.length;
      const old = gateways[slot];
      if (old === undefined) throw new Error('no gateway');
      // One for each instance: one of them runs where the restart is.
      streams.push(streamFor2Seconds(edge.url), streamFor2Seconds(edge.url));
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await old.stop('SIGTERM', 40_000)).toEqual({ code: 0, signal: null });
      gateways[slot] = await startGateway(simulator.url, { port: old.port });
    }
    while (load.begun() < 1_100) await new Promise((resolve) => setTimeout(resolve, 50));
    const tookMs = performance.now() - startedMs;
    const calls = await load.end();

    expect(failedOf(calls).map(({ id, answer, error }) => ({ id, ...answer, error }))).toEqual([]);
    expect(calls.length).toBeGreaterThanOrEqual(1_000);
    expect(calls.length / (tookMs / 1_000)).toBeGreaterThanOrEqual(100);
    expect(await Promise.all(streams)).toEqual(streams.map(() => '[DONE]'));
    // Each went upstream once.
    expect(simulator.hits()).toBe(calls.length + streams.length);
  }, 120_000);

  it('lose by kill -9 only what was in flight there, and tell its clients not to send it again', async () => {
    const load = startLoad(edge.url, 110, { 'x-simulate-latency-ms': '100' });
    while (load.begun() < 150) await new Promise((resolve) => setTimeout(resolve, 20));
    const killedMs = performance.now();
    await gateways[0]?.stop('SIGKILL');
    // nginx hears of it when it runs next; on a busy machine that takes a while.
    const goneMs = performance.now() + 1_000;
    while (load.begun() < 550) await new Promise((resolve) => setTimeout(resolve, 20));
    const calls = await load.end();

    const inFlight = calls.filter(({ startedMs, endedMs }) => startedMs < goneMs && endedMs > killedMs);
    const failed = failedOf(calls);
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.filter((call) => !inFlight.includes(call))).toEqual([]);
    // Half of those in flight were at the other instance.
    expect(failed.length).toBeLessThan(inFlight.length);
    for (const { answer } of failed) {
      expect(answer?.status).toBe(502);
      expect(answer?.headers['x-should-retry']).toBe('false');
    }
    expect(simulator.hits()).toBeLessThanOrEqual(calls.length);
    expect(calls.filter(({ startedMs }) => startedMs > goneMs).length).toBeGreaterThan(200);
  }, 90_000);
});

/** The last event of a stream of 2 seconds. */
async function streamFor2Seconds(url: string): Promise<string | undefined> {
  const steering = { 'x-simulate-tokens': '40', 'x-simulate-tokens-per-second': '20' };
  const answer = await open(url, '/v1/chat/completions', chat({ stream: true }, steering));
  let last: string | undefined;
  for await (const event of readSse(answer)) last = event.data ?? last;
  return last;
}
