import { once } from 'node:events';
import { connect } from 'node:net';
import { rawRequest, readSse, until } from '@nexus/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { requestLines, startWithSimulator } from '../running-gateway.ts';
import { ADMIN, errorIn, jsonObject, rawChat, rawGet, textOrBroken } from './wire.ts';

const SLOW = { 'x-simulate-tokens-per-second': '40', 'x-simulate-tokens': '30' };

describe('A gateway that is told to end', () => {
  it('says so, goes on as before for a moment, then takes no connection more, and finishes its stream', async () => {
    const running = await startWithSimulator(ADMIN);
    const stream = await running.chat({ stream: true }, SLOW);
    const text = textOrBroken(stream);
    const kept = await keptConnection(running.port);

    let over = false;
    const ended = running.gateway.close(1_000).then(() => {
      over = true;
    });
    const ready = await fetch(`${running.url}/ready`);
    expect(ready.status).toBe(503);
    expect(ready.headers.get('connection')).toBe('close');
    expect(jsonObject(await (await fetch(`${running.gateway.adminUrl}/ready`)).text()).ready).toBe(false);
    const health = await fetch(`${running.url}/health`);
    expect(health.status).toBe(200);
    expect(jsonObject(await health.text()).status).toBe('draining');

    for (const bytes of [rawChat({}, ['Connection: close']), rawGet('/v1/models', ['Connection: close'])]) {
      const answer = await rawRequest(running.port, bytes);
      expect(answer.text).toMatch(/^HTTP\/1\.1 200/);
    }
    expect(over).toBe(false);
    // As long as it listens connections are kept: a proxy makes no new ones, which would be reset when it stops.
    while (!(await kept.ask()).includes('connection: close'));
    await expect(rawRequest(running.port, rawGet('/health'))).rejects.toThrow('ECONNREFUSED');
    expect(await text).toContain('[DONE]');
    await ended;
    await kept.ended;
  });

  it('also finishes an answer without a stream, and says on it that the connection ends', async () => {
    const running = await startWithSimulator(ADMIN);
    const kept = await keptConnection(running.port);
    const whole = running.chat({}, { 'x-simulate-latency-ms': '3000' });
    await until(() => running.simulator.hits() === 2);
    const ended = running.gateway.close(300);
    while (!(await kept.ask()).includes('connection: close'));
    expect((await whole).status).toBe(200);
    expect((await whole).headers.get('connection')).toBe('close');
    await ended;
  });

  it('waits no longer than the grace, and breaks the rest off visibly', async () => {
    const running = await startWithSimulator(`${ADMIN}timeouts: { drain: 300ms }`);
    const stream = await running.chat({ stream: true }, { ...SLOW, 'x-simulate-tokens': '4000' });
    const text = textOrBroken(stream);
    const startedMs = performance.now();
    await running.gateway.close(0);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(await text).toBe('broken');
    await until(() => running.simulator.requests[0]?.aborted === true);
  });

  it('settles and records what it breaks off', async () => {
    const running = await startWithSimulator(`${ADMIN}timeouts: { drain: 200ms }`);
    const stream = await running.chat({ stream: true }, { ...SLOW, 'x-simulate-tokens': '4000' });
    for await (const event of readSse(stream)) if (event.data?.includes('"content":"') === true) break;
    await running.gateway.close(0);
    const [line] = await requestLines(running, 1);
    expect(line).toMatchObject({ status: 200 });
    expect(Number(line?.input_tokens)).toBeGreaterThan(0);
  });

  it('ends now when it is told a second time', async () => {
    const running = await startWithSimulator(ADMIN);
    const stream = await running.chat({ stream: true }, { ...SLOW, 'x-simulate-tokens': '4000' });
    const silent = running.chat({}, { 'x-simulate-fault': 'stall-before' }).catch(() => 'broken');
    await until(() => running.simulator.hits() === 2);
    const text = textOrBroken(stream);
    const startedMs = performance.now();
    const first = running.gateway.close();
    const second = running.gateway.close();
    await Promise.all([first, second]);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(await text).toBe('broken');
    expect(await silent).toBe('broken');
  });

  it('ends at once where nothing is under way, although connections are kept open', async () => {
    const running = await startWithSimulator(ADMIN);
    await (await running.chat()).text();
    const idle = connect(running.port, '127.0.0.1');
    idle.on('error', () => {});
    await once(idle, 'connect');
    const startedMs = performance.now();
    await running.gateway.close(0);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    idle.destroy();
  });

  it('keeps its words in the shape of the API while it drains', async () => {
    const running = await startWithSimulator(`${ADMIN}keys: [{ id: app, key: known-key-123456 }]`);
    const ended = running.gateway.close(300);
    const answer = await running.chat();
    expect(answer.status).toBe(401);
    expect(errorIn(await answer.text()).code).toBe('invalid_api_key');
    await ended;
  });
});

/** A connection that has been used once and is kept. `ask` gives the next whole answer on it, in lower case. */
async function keptConnection(port: number) {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const ended = once(socket, 'close');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString().toLowerCase();
  });
  const ask = async () => {
    text = '';
    socket.write(rawGet('/v1/models'));
    await until(() => text.startsWith('http/1.1 200') && text.includes('"object"'));
    return text;
  };
  await ask();
  return { ask, ended };
}
