/** The frames of RFC 6455, as far as an echo needs them: no extensions, messages up to a bound. */

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly final: boolean;
  readonly opcode: number;
  /** Unmasked. */
  readonly payload: Buffer;
}

/** Why a connection must end: a close code of RFC 6455 §7.4.1. */
export class ProtocolFault extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'ProtocolFault';
    this.code = code;
  }
}

const MAX_FRAME_BYTES = 16 * 1024 * 1024;

/** Cuts a client's bytes into frames. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);

  /** The frames that are whole now. Throws a ProtocolFault on what a client must not send. */
  push(chunk: Buffer): Frame[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    const first = bytes.readUInt8(0);
    const second = bytes.readUInt8(1);
    if ((first & 0x70) !== 0) throw new ProtocolFault(1002, 'A reserved bit is set.');
    if ((second & 0x80) === 0) throw new ProtocolFault(1002, 'A client must mask its frames.');
    const opcode = first & 0x0f;
    const final = (first & 0x80) !== 0;
    let length = second & 0x7f;
    let at = 2;
    if (opcode >= 8 && (length > 125 || !final))
      throw new ProtocolFault(1002, 'A control frame is too long or cut.');
    if (length === 126) {
      if (bytes.length < 4) return undefined;
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return undefined;
      const long = bytes.readBigUInt64BE(2);
      if (long > BigInt(MAX_FRAME_BYTES)) throw new ProtocolFault(1009, 'The frame is too large.');
      length = Number(long);
      at = 10;
    }
    if (bytes.length < at + 4 + length) return undefined;
    const mask = bytes.subarray(at, at + 4);
    const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + length));
    for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
    this.#bytes = bytes.subarray(at + 4 + length);
    return { final, opcode, payload };
  }
}

/** One frame as a server sends it: unmasked. */
export function writeFrame({ final, opcode, payload }: Frame): Buffer {
  const first = (final ? 0x80 : 0) | opcode;
  let head: Buffer;
  if (payload.length < 126) head = Buffer.from([first, payload.length]);
  else if (payload.length < 65_536) {
    head = Buffer.from([first, 126, 0, 0]);
    head.writeUInt16BE(payload.length, 2);
  } else {
    head = Buffer.alloc(10);
    head.writeUInt8(first, 0);
    head.writeUInt8(127, 1);
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, payload]);
}

export function closeFrame(code: number, reason = ''): Frame {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return { final: true, opcode: OPCODES.close, payload };
}
