const INITIAL_BYTES = 1_024;
/** The most that one number takes: a marker and a double. */
const NUMBER_BYTES = 9;

/** Numbers as they stand in a message. */
export function packed(...numbers: readonly number[]): Buffer {
  const message = new NumberMessage();
  for (const number of numbers) message.add(number);
  return Buffer.from(message.end());
}

/** Writes numbers as msgpack, one after the other, which Redis' Lua reads in one call (`cmsgpack.unpack`). */
export class NumberMessage {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #at = 0;

  add(value: number): void {
    if (this.#at + NUMBER_BYTES > this.#bytes.length) this.#grow();
    const bytes = this.#bytes;
    let at = this.#at;
    if (value >= 0 && value < 2 ** 32 && Number.isInteger(value)) {
      if (value < 0x80) bytes[at++] = value;
      else if (value < 0x1_00_00) {
        bytes[at] = 0xcd;
        bytes[at + 1] = value >>> 8;
        bytes[at + 2] = value & 0xff;
        at += 3;
      } else {
        bytes[at] = 0xce;
        at = bytes.writeUInt32BE(value, at + 1);
      }
    } else {
      bytes[at] = 0xcb;
      at = bytes.writeDoubleBE(value, at + 1);
    }
    this.#at = at;
  }

  /** Adds numbers that were packed before. */
  addPacked(numbers: Buffer): void {
    while (this.#at + numbers.length > this.#bytes.length) this.#grow();
    const bytes = this.#bytes;
    let at = this.#at;
    // A dozen bytes are copied here in less time than it takes to call another function.
    for (let i = 0; i < numbers.length; i += 1) bytes[at++] = numbers[i] ?? 0;
    this.#at = at;
  }

  /** The message so far. The writer must not be used after that: the bytes are its own. */
  end(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(this.#bytes.length * 2);
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
