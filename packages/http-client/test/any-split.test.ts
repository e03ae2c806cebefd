import { chunkingServer, receiveRequest } from '@nexus/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { called, clientOf, post } from './calling.ts';

/** An answer as a server would send it, and what is to be heard of it. */
interface Written {
  readonly bytes: string;
  readonly status: number;
  readonly text: string;
}

const TEXT = fc.string({
  unit: fc.constantFrom('a', 'b', '\r', '\n', '0', '\xff', '\0', 'HTTP/1.1 200 OK\r\n\r\n'),
  maxLength: 40,
});
const FIELDS = fc
  .array(
    fc.constantFrom('X-A: 1', 'constructor: c', '__proto__: p', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'E:'),
    { maxLength: 5 },
  )
  .map((lines) => lines.map((line) => `${line}\r\n`).join(''));
const BEFORE = fc.constantFrom(
  '',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n',
);

const ANSWER: fc.Arbitrary<Written> = fc.oneof(
  fc.record({ before: BEFORE, fields: FIELDS, text: TEXT }).map(({ before, fields, text }) => ({
    bytes: `${before}HTTP/1.1 200 OK\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`,
    status: 200,
    text,
  })),
  fc
    .record({ before: BEFORE, fields: FIELDS, parts: fc.array(TEXT, { maxLength: 4 }) })
    .map(({ before, fields, parts }) => {
      const full = parts.filter((part) => part !== '');
      const chunks = full.map((part) => `${part.length.toString(16)};x=y\r\n${part}\r\n`).join('');
      return {
        bytes: `${before}HTTP/1.1 429 \r\n${fields}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\nt: 1\r\n\r\n`,
        status: 429,
        text: full.join(''),
      };
    }),
  fc.constantFrom(
    { bytes: 'HTTP/1.1 204 No Content\r\n\r\n', status: 204, text: '' },
    { bytes: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n', status: 304, text: '' },
  ),
);

function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const at = [...new Set(places.map((place) => 1 + (place % bytes.length)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

describe('Answers one after the other', () => {
  it('are each heard whole, and none in another’s place, however the network cuts them', async () => {
    let pieces: readonly Buffer[] = [];
    const server = await chunkingServer(async (socket) => {
      for (;;) {
        socket.resume();
        if (!(await receiveRequest(socket).catch(() => undefined))) return;
        for (const piece of pieces) {
          socket.write(piece);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    });
    const client = clientOf(server.url);
    await fc.assert(
      fc.asyncProperty(ANSWER, fc.array(fc.nat(400), { maxLength: 8 }), async (answer, places) => {
        pieces = cut(answer.bytes, places);
        const received = await called(client, {}, post());
        expect({ status: received.head?.status, text: received.text, last: received.heard.at(-1) }).toEqual({
          status: answer.status,
          text: answer.text,
          last: 'end',
        });
      }),
      { numRuns: 150 },
    );
    expect(server.connections()).toBe(1);
  });

  it('that end with their connections are each heard whole, however the network cuts them', async () => {
    let pieces: readonly Buffer[] = [];
    const server = await chunkingServer(async (socket) => {
      await receiveRequest(socket);
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.end();
    });
    const client = clientOf(server.url);
    let calls = 0;
    await fc.assert(
      fc.asyncProperty(TEXT, fc.array(fc.nat(400), { maxLength: 8 }), async (text, places) => {
        calls += 1;
        pieces = cut(`HTTP/1.0 200 OK\r\nserver: x\r\n\r\n${text}`, places);
        const received = await called(client);
        expect([received.text, received.heard.at(-1)]).toEqual([text, 'end']);
      }),
      { numRuns: 40 },
    );
    expect(server.connections()).toBe(calls);
  });
});
