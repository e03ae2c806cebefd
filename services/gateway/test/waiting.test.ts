import { once } from 'node:events';
import { connect } from 'node:net';
import { rawRequest, until } from '@nexus/testkit';
import { noRedis, startRedis } from '@nexus/testkit/redis-server';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { ADMIN, nothingOpen, openNow, rawChat, rawGet, usedBy } from './faults/wire.ts';
import { requestLines, startWithSimulator } from './running-gateway.ts';

/** One request a minute at once; the next would have to wait for longer than anybody may. */
const SLOW = 'limits: { requests_per_minute: { limit: 1, burst: 1 } }';
/** One request at once, and one more each half second. */
const HALF_SECONDS = 'limits: { requests_per_second: { limit: 2, burst: 1 }, concurrent_requests: 9 }';

const PATIENT = { withinMs: 20_000 };

describe('A gateway with max_wait', () => {
  it('lets those over a limit wait, in order, and sends none upstream before its time', async () => {
    const running = await startWithSimulator(
      'max_wait: 2s\nlimits: { requests_per_second: { limit: 20, burst: 5 } }',
    );
    // Down one connection, so that there is one order of arrival.
    const bytes = Array.from({ length: 20 }, (_, index) =>
      rawGet(`/v1/models?n=${index}`, index === 19 ? ['Connection: close'] : []),
    );
    const sentMs = Date.now();
    const answer = await rawRequest(running.port, bytes.join(''), PATIENT);
    expect(answer.text.match(/HTTP\/1\.1 200 /g)).toHaveLength(20);
    expect(answer.text).not.toContain('HTTP/1.1 429');
    const arrivals = running.simulator.requests.map(({ path, receivedAtMs }) => ({
      place: Number(path.replace(/^.*n=/, '')),
      atMs: receivedAtMs,
    }));
    const byPlace = [...arrivals].sort((one, other) => one.place - other.place);
    expect(byPlace.map(({ place }) => place)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    // None before its own turn, which is each 50 ms. The clocks of the limiter and of the record may differ by a rounding.
    for (const [place, { atMs }] of byPlace.entries())
      expect(atMs).toBeGreaterThanOrEqual(sentMs + 50 * (place - 4) - 2);
    const lines = await requestLines(running, 20);
    expect(lines.every(({ message }) => message === 'request completed')).toBe(true);
    expect(lines.filter(({ waited_ms: waited }) => waited !== undefined).length).toBeGreaterThanOrEqual(10);
    for (const { waited_ms: waited, duration_ms: took } of lines)
      if (waited !== undefined) expect(Number(took)).toBeGreaterThanOrEqual(Number(waited));
  });

  it('refuses at once whoever would have to wait too long, with the exact wait', async () => {
    const running = await startWithSimulator(`max_wait: 30s\n${SLOW}`);
    expect((await running.chat()).status).toBe(200);
    const refused = await running.chat();
    expect(refused.status).toBe(429);
    const waitMs = Number(refused.headers.get('retry-after-ms'));
    const exactMs = Number((await requestLines(running, 2))[1]?.retry_after_ms);
    expect(exactMs).toBeGreaterThan(30_000);
    expect(exactMs).toBeLessThanOrEqual(60_000);
    expect(waitMs).toBeGreaterThanOrEqual(exactMs);
    expect(running.simulator.hits()).toBe(1);
  });

  it.each([
    ['x-stainless-timeout', '0'],
    ['x-stainless-timeout', '1'],
    ['x-stainless-read-timeout', '4.5'],
  ])('lets nobody wait for longer than its client does: %s: %s', async (name, value) => {
    const running = await startWithSimulator(
      'max_wait: 60s\nlimits: { requests_per_minute: { limit: 12, burst: 1 } }',
    );
    expect((await running.chat({}, { [name]: value })).status).toBe(200);
    const refused = await running.chat({}, { [name]: value });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after-ms'))).toBeGreaterThan(Number(value) * 1_000 - 500);
    expect((await requestLines(running, 2))[1]).toMatchObject({ decision: 'denied' });
  });

  it.each(['soon', '-1', '1e9', '99999999999', '0x10', ' ', 'NaN', '1, 1'])(
    'ignores a time-out that makes no sense: "%s"',
    async (value) => {
      const running = await startWithSimulator(
        'max_wait: 5s\nlimits: { requests_per_second: { limit: 10, burst: 1 } }',
      );
      const headers = { 'x-stainless-timeout': value };
      expect((await running.chat({}, headers)).status).toBe(200);
      expect((await running.chat({}, headers)).status).toBe(200);
    },
  );

  it('gives back the place of a client that leaves, and forwards nothing', async () => {
    const running = await startWithSimulator(
      `${ADMIN}max_wait: 60s\nlimits: { requests_per_minute: { limit: 2, burst: 1 }, concurrent_requests: 9 }`,
    );
    expect((await running.chat()).status).toBe(200);
    for (const bytes of [rawChat(), rawGet('/v1/models')]) {
      const socket = connect(running.port, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(bytes);
      await until(async () => (await openNow(running)).reservations === 1, PATIENT);
      expect((await usedBy(running)).get('requests_per_minute')).toBe(2);
      socket.destroy();
      await nothingOpen(running);
    }
    const used = await usedBy(running);
    expect(used.get('requests_per_minute')).toBe(1);
    expect(used.get('concurrent_requests')).toBe(0);
    const lines = (await requestLines(running, 3)).slice(1);
    for (const line of lines) {
      expect(line).toMatchObject({ message: 'client left', decision: 'admitted' });
      expect(Number(line.waited_ms)).toBeGreaterThan(0);
      expect(line.upstream_ms).toBeUndefined();
    }
    expect(running.simulator.hits()).toBe(1);
  });

  it('answers those that wait before it ends', async () => {
    const running = await startWithSimulator(`${ADMIN}max_wait: 20s\n${HALF_SECONDS}`);
    const answers = Array.from({ length: 4 }, () => running.chat());
    await until(async () => (await openNow(running)).reservations >= 2, PATIENT);
    const ended = running.gateway.close(0);
    for (const answer of answers) expect((await answer).status).toBe(200);
    await ended;
    expect(running.simulator.hits()).toBe(4);
  });

  it('lets go of those that wait when it is to end now', async () => {
    const running = await startWithSimulator(
      `${ADMIN}max_wait: 60s\nlimits: { requests_per_minute: { limit: 2, burst: 1 } }`,
    );
    expect((await running.chat()).status).toBe(200);
    const broken = running.chat().then(
      () => 'answered',
      () => 'broken',
    );
    await until(async () => (await openNow(running)).reservations === 1, PATIENT);
    const ended = running.gateway.close(0);
    void running.gateway.close();
    await ended;
    expect(await broken).toBe('broken');
    expect((await requestLines(running, 2))[1]).toMatchObject({ message: 'client left' });
  });

  it.skipIf(noRedis)('shares one queue with every instance', async () => {
    const redis = await startRedis();
    onTestFinished(async () => {
      redis.client.disconnect();
      await redis.process.stop();
    });
    const settings = `redis_url: ${redis.url}\nmax_wait: 20s\nlimits: { requests_per_second: { limit: 20, burst: 5 } }`;
    const instances = [await startWithSimulator(settings), await startWithSimulator(settings)];
    const sentMs = Date.now();
    const asked = instances.flatMap((running) => Array.from({ length: 10 }, () => running.chat()));
    for (const answer of asked) expect((await answer).status).toBe(200);
    const lines = (await Promise.all(instances.map((running) => requestLines(running, 10)))).flat();
    // A Redis that doesn't answer in time, because the machine stands still, leaves each instance to its own share.
    if (lines.some(({ degraded }) => degraded === true)) return;
    const arrivals = instances.flatMap(({ simulator }) =>
      simulator.requests.map(({ receivedAtMs }) => receivedAtMs),
    );
    for (const [place, atMs] of arrivals.sort((one, other) => one - other).entries())
      expect(atMs).toBeGreaterThanOrEqual(sentMs + 50 * (place - 4) - 2);
  });

  it('lets a WebSocket wait, too', async () => {
    const running = await startWithSimulator(`max_wait: 20s\n${HALF_SECONDS}`);
    expect((await running.chat()).status).toBe(200);
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime`, {
      headers: { authorization: 'Bearer sk-test-key' },
    });
    await once(socket, 'open');
    socket.close();
    await once(socket, 'close');
    expect((await requestLines(running, 2))[1]?.waited_ms).toBeGreaterThan(0);
  });
});
