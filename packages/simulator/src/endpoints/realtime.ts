import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { closeFrame, type Frame, FrameReader, OPCODES, ProtocolFault, writeFrame } from '../websocket.ts';

/** Fixed by RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Accepts a WebSocket and echoes its text and binary frames, fragments as they come. Pings are answered; a close is
 * echoed and ends the connection. Of the offered subprotocols `realtime` is chosen, else none.
 */
export function echoWebSocket(req: IncomingMessage, socket: Duplex, head: Buffer, requestId: string): void {
  const key = req.headers['sec-websocket-key'];
  if (
    key === undefined ||
    Buffer.from(key, 'base64').length !== 16 ||
    req.headers['sec-websocket-version'] !== '13'
  ) {
    const lines = [
      'HTTP/1.1 400 Bad Request',
      'sec-websocket-version: 13',
      'content-length: 0',
      'connection: close',
    ];
    socket.end(`${lines.join('\r\n')}\r\n\r\n`);
    return;
  }
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  const offered = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    `x-request-id: ${requestId}`,
  ];
  if (offered.includes('realtime')) lines.push('Sec-WebSocket-Protocol: realtime');
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);

  const reader = new FrameReader();
  let over = false;
  const finish = (frame: Frame) => {
    over = true;
    socket.end(writeFrame(frame));
  };
  const read = (chunk: Buffer) => {
    if (over) return;
    try {
      for (const frame of reader.push(chunk)) {
        if (over) return;
        if (frame.opcode === OPCODES.close) finish({ ...frame, payload: frame.payload.subarray(0, 125) });
        else if (frame.opcode === OPCODES.ping) socket.write(writeFrame({ ...frame, opcode: OPCODES.pong }));
        else if (frame.opcode <= OPCODES.binary && !socket.write(writeFrame(frame))) {
          socket.pause();
          socket.once('drain', () => socket.resume());
        }
      }
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error;
      finish(closeFrame(error.code, error.message));
    }
  };
  if (head.length > 0) read(head);
  socket.on('data', read);
  socket.on('end', () => socket.end());
}
