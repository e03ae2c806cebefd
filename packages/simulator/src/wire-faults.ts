/** Faults that are no HTTP, or HTTP that node:http would not write: bytes put on the socket by hand. */

import type { Socket } from 'node:net';
import type { FaultName } from './faults.ts';

const BODY = '{"id":"chatcmpl-fault","object":"chat.completion","choices":[]}';
const HEAD = `content-type: application/json\r\ncontent-length: ${BODY.length}\r\n`;

const MANY = 3_000;
const GIANT_BYTES = 256 * 1024;
const FLOOD = 1_000;

/** What is written before the connection ends. All latin1: a character is a byte. */
const BYTES: { readonly [name in FaultName]?: () => string } = {
  'status-000': () => `HTTP/1.1 000 \r\n${HEAD}\r\n${BODY}`,
  'status-101': () =>
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: nonsense\r\nconnection: upgrade\r\n\r\nnonsense',
  'bad-status-line': () => `ICY two hundred\r\n${HEAD}\r\n${BODY}`,
  'control-in-reason': () => `HTTP/1.1 200 O\u0001K\u007f\r\n${HEAD}\r\n${BODY}`,
  'bad-header-bytes': () => `HTTP/1.1 200 OK\r\nx-odd: a\u0001b\u0080\u00ff\r\n${HEAD}\r\n${BODY}`,
  'trailer-with-length': () => `HTTP/1.1 200 OK\r\ntrailer: x-checksum\r\n${HEAD}\r\n${BODY}`,
  'length-and-chunked': () =>
    `HTTP/1.1 200 OK\r\n${HEAD}transfer-encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  'bad-chunk-size': () =>
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`,
  'informational-flood': () =>
    `${'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(FLOOD)}HTTP/1.1 200 OK\r\n${HEAD}\r\n${BODY}`,
  'giant-headers': () => `HTTP/1.1 200 OK\r\nx-giant: ${'g'.repeat(GIANT_BYTES)}\r\n${HEAD}\r\n${BODY}`,
  'many-headers': () =>
    `HTTP/1.1 200 OK\r\n${Array.from({ length: MANY }, (_, i) => `x-${i}: ${i}\r\n`).join('')}${HEAD}\r\n${BODY}`,
};

/** Plays a wire fault; false if the fault is none. The socket is never used again. */
export function playWireFault(name: FaultName, socket: Socket): boolean {
  if (name === 'stall-before') return true;
  if (name === 'reset-before') {
    socket.resetAndDestroy();
    return true;
  }
  const bytes = BYTES[name];
  if (bytes === undefined) return false;
  socket.end(bytes(), 'latin1');
  return true;
}
