/** Reads a record as the scripts store it: arrays and integers. Throws on anything else. */
export function readMsgpack(bytes: Buffer): unknown {
  let at = 0;
  const read = (): unknown => {
    const byte = bytes.readUInt8(at++);
    if (byte < 0x80) return byte;
    if (byte >= 0xe0) return byte - 0x100;
    if (byte >= 0x90 && byte < 0xa0) return list(byte - 0x90);
    const take = <T>(size: number, value: T): T => {
      at += size;
      return value;
    };
    switch (byte) {
      case 0x80:
        return []; // Lua doesn't tell an empty array from an empty map.
      case 0xcc:
        return take(1, bytes.readUInt8(at));
      case 0xcd:
        return take(2, bytes.readUInt16BE(at));
      case 0xce:
        return take(4, bytes.readUInt32BE(at));
      case 0xcf:
        return take(8, Number(bytes.readBigUInt64BE(at)));
      case 0xd0:
        return take(1, bytes.readInt8(at));
      case 0xd1:
        return take(2, bytes.readInt16BE(at));
      case 0xd2:
        return take(4, bytes.readInt32BE(at));
      case 0xd3:
        return take(8, Number(bytes.readBigInt64BE(at)));
      case 0xdc:
        return list(take(2, bytes.readUInt16BE(at)));
      default:
        throw new Error(`A record holds msgpack's ${byte.toString(16)}, which is no integer`);
    }
  };
  const list = (length: number): unknown[] => Array.from({ length }, read);
  const value = read();
  if (at !== bytes.length) throw new Error('A record goes on after its end');
  return value;
}

/** Reads the numbers that a marker, or an answer of a script, is made of. */
export function readDoubles(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 8 }, (_, index) => bytes.readDoubleLE(index * 8));
}
