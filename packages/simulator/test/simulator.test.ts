import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startSimulator } from '../src/index.ts';
import { FrameReader, OPCODES, writeFrame } from '../src/websocket.ts';
import { chat, post } from './wire.ts';

describe('what is recorded', () => {
  it('is the request as it came: order and spelling of headers, query, bytes', async () => {
    const simulator = await startSimulator();
    const body = Buffer.from([0x7b, 0xff, 0x00]);
    await fetch(`${simulator.url}/v1/odd?b=%2F&a`, { method: 'PUT', body, headers: { 'X-Odd': 'ä' } });
    const recorded = simulator.requests[0];
    expect(recorded).toMatchObject({ method: 'PUT', path: '/v1/odd?b=%2F&a', body });
    expect(recorded?.headers.find(([name]) => name.toLowerCase() === 'x-odd')).toEqual(['X-Odd', 'ä']);
    expect(recorded?.aborted).toBeUndefined();
    await simulator.close();
  });

  it('says when a body broke off', async () => {
    const simulator = await startSimulator();
    const socket = connect(simulator.port, '127.0.0.1');
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"mod');
    await expect.poll(() => simulator.hits()).toBe(1);
    socket.destroy();
    await expect.poll(() => simulator.requests[0]?.aborted).toBe(true);
    await simulator.close();
  });

  it.each(['stall-before', 'stall-midstream'])('says that the client left a %s', async (fault) => {
    const simulator = await startSimulator();
    const leave = new AbortController();
    const headers = { 'x-simulate-fault': fault };
    const url = `${simulator.url}/v1/chat/completions`;
    const call = fetch(url, { method: 'POST', body: chat({ stream: true }), headers, signal: leave.signal });
    call.catch(() => undefined);
    await expect.poll(() => simulator.requests[0]?.body.length).toBeGreaterThan(0);
    expect(simulator.requests[0]?.aborted).toBeUndefined();
    leave.abort();
    await expect.poll(() => simulator.requests[0]?.aborted).toBe(true);
    await simulator.close();
  });

  it.each(['reset-before', 'reset-midstream', 'status-000'])('blames no client for a %s', async (fault) => {
    const simulator = await startSimulator();
    const headers = { 'x-simulate-fault': fault };
    await expect(
      post(simulator.url, '/v1/chat/completions', chat({ stream: true }), headers).then((answer) =>
        answer.text(),
      ),
    ).rejects.toThrow();
    expect((await post(simulator.url, '/v1/chat/completions', chat())).status).toBe(200);
    expect(simulator.requests.map(({ aborted }) => aborted)).toEqual([undefined, undefined]);
    await simulator.close();
  });

  it('is bounded, and nothing when switched off', async () => {
    const simulator = await startSimulator({ bodyLimitBytes: 50 * 1024 * 1024 });
    for (let i = 0; i < 3; i++) {
      await (await fetch(simulator.url, { method: 'POST', body: Buffer.alloc(30 * 1024 * 1024, i) })).text();
    }
    expect(simulator.requests.map(({ body }) => body[0])).toEqual([1, 2]);
    await simulator.close();
    const silent = await startSimulator({ record: false });
    await (await post(silent.url, '/v1/chat/completions', chat())).text();
    expect([silent.requests.length, silent.hits()]).toEqual([0, 1]);
    await silent.close();
  });
});

describe('a simulator', () => {
  it('refuses bodies over its limit', async () => {
    const simulator = await startSimulator({ bodyLimitBytes: 10 });
    expect((await post(simulator.url, '/v1/chat/completions', chat())).status).toBe(413);
    await simulator.close();
  });

  it('waits as long as it was told', async () => {
    const simulator = await startSimulator({ latencyMs: 60 });
    const startedMs = performance.now();
    await (await post(simulator.url, '/v1/chat/completions', chat())).text();
    expect(performance.now() - startedMs).toBeGreaterThan(58);
    await simulator.close();
  });

  it('rejects options that make no sense and a port that is taken', async () => {
    await expect(startSimulator({ latencyMs: Number.NaN })).rejects.toThrow('latencyMs');
    await expect(startSimulator({ tokensPerSecond: -1 })).rejects.toThrow('tokensPerSecond');
    const simulator = await startSimulator();
    await expect(startSimulator({ port: simulator.port })).rejects.toThrow('EADDRINUSE');
    await simulator.close();
  });

  it('outlives bytes that are no HTTP', async () => {
    const simulator = await startSimulator();
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(simulator.port, '127.0.0.1', () =>
        socket.write('\u0016\u0003\u0001 what\r\n\r\n'),
      );
      socket.once('data', (bytes) => resolve(bytes.toString()));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((await post(simulator.url, '/v1/chat/completions', chat())).status).toBe(200);
    await simulator.close();
  });
});

/** A client's frame: masked. */
function masked(opcode: number, payload: Buffer, final = true): Buffer {
  const bare = writeFrame({ final, opcode, payload });
  const headLength = bare.length - payload.length;
  const mask = randomBytes(4);
  const head = Buffer.from(bare.subarray(0, headLength));
  head[1] = (head[1] ?? 0) | 0x80;
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ (mask[i & 3] ?? 0))]);
}

/** Opens a WebSocket by hand, sends the frames and gives back everything that came until the connection ended. */
function converse(port: number, path: string, frames: readonly Buffer[], headers = ''): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const came: Buffer[] = [];
    socket.on('data', (chunk) => came.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(came)));
    // A reset is one of the endings; close follows it.
    socket.on('error', () => undefined);
    const key = 'dGhlIHNhbXBsZSBub25jZQ==';
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n${headers}\r\n`,
    );
    for (const frame of frames) socket.write(frame);
  });
}

describe('the WebSocket echo', () => {
  it('accepts, echoes short and long frames, answers a ping and closes with the same code', async () => {
    const simulator = await startSimulator();
    const long = Buffer.from('ü'.repeat(40_000));
    const close = Buffer.from([0x03, 0xe8]);
    const came = await converse(
      simulator.port,
      '/v1/realtime?model=x',
      [
        masked(OPCODES.text, Buffer.from('hello')),
        masked(OPCODES.text, long),
        masked(OPCODES.binary, Buffer.alloc(200, 7), false),
        masked(OPCODES.continuation, Buffer.alloc(1, 8)),
        masked(OPCODES.ping, Buffer.from('p')),
        masked(OPCODES.close, close),
      ],
      'sec-websocket-protocol: realtime, openai-insecure-api-key.x\r\n',
    );
    const headEnd = came.indexOf('\r\n\r\n') + 4;
    const head = came.toString('latin1', 0, headEnd);
    // The example of RFC 6455 §1.3.
    expect(head).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(head).toContain('Sec-WebSocket-Protocol: realtime\r\n');
    const expected = [
      writeFrame({ final: true, opcode: OPCODES.text, payload: Buffer.from('hello') }),
      writeFrame({ final: true, opcode: OPCODES.text, payload: long }),
      writeFrame({ final: false, opcode: OPCODES.binary, payload: Buffer.alloc(200, 7) }),
      writeFrame({ final: true, opcode: OPCODES.continuation, payload: Buffer.alloc(1, 8) }),
      writeFrame({ final: true, opcode: OPCODES.pong, payload: Buffer.from('p') }),
      writeFrame({ final: true, opcode: OPCODES.close, payload: close }),
    ];
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(digest(came.subarray(headEnd))).toBe(digest(Buffer.concat(expected)));
    await simulator.close();
  });

  it('closes with 1002 on an unmasked frame', async () => {
    const simulator = await startSimulator();
    const bad = writeFrame({ final: true, opcode: OPCODES.text, payload: Buffer.from('x') });
    const came = await converse(simulator.port, '/v1/realtime', [bad]);
    const headEnd = came.indexOf('\r\n\r\n') + 4;
    expect(came.readUInt8(headEnd)).toBe(0x88);
    expect(came.readUInt16BE(headEnd + 2)).toBe(1002);
    await simulator.close();
  });

  it('reads frames that come byte by byte', () => {
    const reader = new FrameReader();
    const bytes = Buffer.concat([
      masked(OPCODES.text, Buffer.alloc(300, 65)),
      masked(OPCODES.ping, Buffer.alloc(0)),
    ]);
    const frames = [...bytes].flatMap((byte) => reader.push(Buffer.from([byte])));
    expect(frames.map(({ opcode, payload }) => [opcode, payload.length])).toEqual([
      [OPCODES.text, 300],
      [OPCODES.ping, 0],
    ]);
  });

  it('answers with plain errors elsewhere, without a credential, and by fault', async () => {
    const simulator = await startSimulator({ apiKeys: ['sk-right'] });
    const right = 'authorization: Bearer sk-right\r\n';
    const status = async (path: string, headers: string) =>
      (await converse(simulator.port, path, [], headers)).toString('latin1').slice(9, 12);
    expect(await status('/v1/realtime', '')).toBe('401');
    expect(await status('/v1/nope', right)).toBe('404');
    expect(await status('/v1/realtime', `${right}x-simulate-fault: error-503\r\n`)).toBe('503');
    expect(await status('/v1/realtime', `${right}x-simulate-fault: reset-before\r\n`)).toBe('');
    expect(simulator.hits()).toBe(4);
    await simulator.close();
  });
});
