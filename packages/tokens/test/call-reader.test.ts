import { threadCpuMs } from '@nexus/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { CallReader, type CallReaderOptions } from '../src/call-reader.ts';
import { countTokens } from '../src/count.ts';

const readers: CallReader[] = [];

function reader(options: CallReaderOptions = {}): CallReader {
  const made = new CallReader(options);
  readers.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(readers.splice(0).map((each) => each.close()));
});

const chat = (content: unknown) =>
  Buffer.from(JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content }] }));
const OVERHEAD = 7;
const LONG = 'The limits of a team hold over all instances of the gateway. '.repeat(500);
const WORKER_THAT_DIES = new URL('./dying-worker.ts', import.meta.url);
const WORKER_THAT_HANGS = new URL('./hanging-worker.ts', import.meta.url);

describe('CallReader', () => {
  it('reads a small body at once when it is warm', async () => {
    const calls = reader();
    await calls.warm();
    expect(calls.read('chat', chat('Hello, world!'))).toMatchObject({
      inputTokens: 11,
      inputSource: 'counted',
    });
  });

  it('reads a small body before it is warm', async () => {
    const reading = await reader().read('chat', chat('Hello, world!'));
    expect(reading).toMatchObject({ inputTokens: 11, inputSource: 'counted' });
  });

  it('counts a large body exactly in its thread and leaves the bytes as they were', async () => {
    const body = chat(LONG);
    const before = Buffer.from(body);
    const reading = reader().read('chat', body);
    expect(reading).toBeInstanceOf(Promise);
    expect(await reading).toMatchObject({
      model: 'gpt-4o',
      inputTokens: OVERHEAD + countTokens(LONG, 'o200k_base'),
      inputSource: 'counted',
    });
    expect(body.equals(before)).toBe(true);
  });

  it('reads a plain Uint8Array that is a part of a larger memory', async () => {
    const body = chat(LONG);
    const memory = new Uint8Array(body.length + 20).fill(0x22);
    memory.set(body, 10);
    const reading = await reader().read('chat', memory.subarray(10, 10 + body.length));
    expect(reading.inputTokens).toBe(OVERHEAD + countTokens(LONG, 'o200k_base'));
  });

  it('gives the splice of a large body', async () => {
    const body = Buffer.from(JSON.stringify({ messages: [{ content: LONG }], stream: true }));
    const { askUsage } = await reader().read('chat', body);
    expect(askUsage).toMatchObject({ start: 1, end: 1 });
    expect(Buffer.from(askUsage?.insert ?? []).toString()).toBe('"stream_options":{"include_usage":true},');
  });

  it.each([true, false])('refuses a bad body, small or large (thread: %s)', async (thread) => {
    const calls = reader({ thread });
    for (const body of [
      '',
      '[',
      '{"model":"a","model":"b"}',
      `{"x":"${LONG}"`,
      `{"n":1,"x":"${LONG}","n":2}`,
    ]) {
      await expect((async () => calls.read('chat', Buffer.from(body)))()).rejects.toMatchObject({
        code: 'invalid_body',
      });
    }
  });

  it('estimates a large body without a thread', async () => {
    const { inputSource, inputTokens } = await reader({ thread: false }).read('chat', chat(LONG));
    expect(inputSource).toBe('estimated');
    expect(inputTokens).toBeGreaterThan(LONG.length / 8);
  });

  it('estimates what finds no room in the queue', async () => {
    const calls = reader({ maxPendingBytes: 50_000 });
    const readings = await Promise.all([1, 2, 3].map(() => calls.read('chat', chat(LONG))));
    expect(readings.map((each) => each.inputSource)).toEqual(['counted', 'estimated', 'estimated']);
  });

  it('estimates at once when its thread dies, and counts again with a new one', async () => {
    const dying = reader({
      workerUrl: WORKER_THAT_DIES,
      restartAfterMs: 0,
      maxWaitMs: 60_000,
      maxLateMs: 60_000,
    });
    for (let i = 0; i < 2; i++) {
      const startMs = performance.now();
      expect((await dying.read('chat', chat(`DIE ${LONG}`))).inputSource).toBe('estimated');
      expect(performance.now() - startMs).toBeLessThan(10_000);
      expect((await dying.read('chat', chat(LONG))).inputSource).toBe('counted');
    }
  });

  it('refuses 10 MB that are no object without parsing them', async () => {
    const body = Buffer.from(`[${'[],'.repeat(3_300_000)}1]`);
    await expect(reader().read('chat', body)).rejects.toMatchObject({ code: 'invalid_body' });
  });

  it.each([
    ['objects', () => '{"a":[]},'.repeat(1_100_000)],
    ['empty arrays', () => '[],'.repeat(3_300_000)],
    ['names', () => Array.from({ length: 700_000 }, (_, i) => `{"${i}":1},`).join('')],
    ['strings', () => '"",'.repeat(3_300_000)],
  ])('parses no 10 MB of tiny %s, which would take the memory of the process', async (_, parts) => {
    const calls = reader();
    const body = Buffer.from(`{"messages":[${parts()}1],"n":2}`);
    expect(await calls.read('chat', body)).toMatchObject({ inputSource: 'estimated', choices: 2 });
    expect((await calls.read('chat', chat(LONG))).inputSource).toBe('counted');
  });

  it('estimates when its thread is behind, and asks it no more until it has answered', async () => {
    const calls = reader({ workerUrl: WORKER_THAT_HANGS, maxWaitMs: 2_000, maxLateMs: 60_000 });
    expect((await calls.read('chat', chat(LONG))).inputSource).toBe('estimated');
    const startMs = performance.now();
    expect((await calls.read('chat', chat(LONG))).inputSource).toBe('estimated');
    expect(performance.now() - startMs).toBeLessThan(1_800);
  });

  it('estimates what it still reads when it is closed, and afterwards', async () => {
    const calls = reader({ workerUrl: WORKER_THAT_HANGS, maxWaitMs: 60_000 });
    const reading = calls.read('chat', chat(LONG));
    await new Promise((resolve) => setImmediate(resolve));
    await calls.close();
    expect((await reading).inputSource).toBe('estimated');
    expect((await calls.read('chat', chat(LONG))).inputSource).toBe('estimated');
  });

  it('survives 100,000 brackets, in place of a message and of a model', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    for (const body of [
      `{"messages":${deep}}`,
      `{"model":${deep}}`,
      `{"stream":true,"stream_options":${deep}}`,
    ]) {
      for (const thread of [true, false]) {
        const reading = await reader({ thread, maxInlineBytes: 1 << 20 }).read('chat', Buffer.from(body));
        expect(reading.inputTokens).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('counts texts of any length', async () => {
    const calls = reader();
    expect(await calls.count('Hello, world!', 'o200k_base')).toBe(4);
    expect(await calls.count(LONG, 'cl100k_base')).toBe(countTokens(LONG, 'cl100k_base'));
    expect(await reader({ thread: false }).count(LONG, 'cl100k_base')).toBeGreaterThan(LONG.length / 8);
  });

  it('does not hold the event loop for 10 MB and for hostile texts', async () => {
    const calls = reader();
    await calls.warm();
    const bodies = [
      chat(LONG.repeat(330)),
      chat('a'.repeat(10_000_000)),
      chat([
        { type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0K'.repeat(1_250_000)}` } },
      ]),
      Buffer.from(`{"messages":[${'{"a":1},'.repeat(1_250_000)}1]}`),
      Buffer.from(`{"messages":[${'{"a":1},'.repeat(200_000)}1]}`),
      chat('a'.repeat(100_000)),
      chat(' '.repeat(100_000)),
      chat(' '.repeat(8000)),
    ];
    let longestTurnMs = 0;
    let before = threadCpuMs();
    let over = false;
    const turn = () => {
      const now = threadCpuMs();
      longestTurnMs = Math.max(longestTurnMs, now - before);
      before = now;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    for (const body of bodies) {
      await calls.read('chat', body);
      await new Promise((resolve) => setImmediate(resolve));
    }
    over = true;
    // Some 5 ms on an idle machine.
    expect(longestTurnMs).toBeLessThan(50);
  });
});
