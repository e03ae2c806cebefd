import { Transform } from 'node:stream';
import type { Exchange } from '../path/exchange.ts';

const STAR = 0x2a;

type Keys = Pick<Exchange, 'identity' | 'attempt'>;

/** The key of ours that an exchange's request carries upstream; undefined: it carries the client's. */
export function ownKey({ identity, attempt }: Keys): string | undefined {
  return attempt?.ownKey ?? identity?.principal.upstreamKey;
}

/** Upstreams may quote a key in an error or a redirection. The client must not see ours: stars stand in its place, as many as it has bytes. */
export class KeyRedaction {
  readonly #text: string;
  readonly #key: Buffer;
  /** What may be the beginning of the key. */
  #kept: Buffer = Buffer.alloc(0);

  private constructor(key: string) {
    this.#text = key;
    this.#key = Buffer.from(key);
  }

  /** For an answer with that status; undefined: there is nothing to hide. */
  static of(exchange: Keys, status: number): KeyRedaction | undefined {
    const key = status >= 300 ? ownKey(exchange) : undefined;
    return key ? new KeyRedaction(key) : undefined;
  }

  /** Whether a text of an answer's head quotes the key, and must be left out. */
  isIn(text: unknown): boolean {
    return String(text).includes(this.#text);
  }

  /** The bytes for the client: none that may go on as the key. */
  write(chunk: Uint8Array): Buffer {
    const all = Buffer.concat([this.#kept, chunk]);
    for (let at = all.indexOf(this.#key); at >= 0; at = all.indexOf(this.#key, at + this.#key.length))
      all.fill(STAR, at, at + this.#key.length);
    const kept = this.#beginningAtEndOf(all);
    this.#kept = all.subarray(all.length - kept);
    return all.subarray(0, all.length - kept);
  }

  /** What was kept back. */
  end(): Buffer {
    return this.#kept;
  }

  /** The same as a stream. */
  asStream(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => done(null, this.write(chunk)),
      flush: (done) => done(null, this.end()),
    });
  }

  /** How many bytes at the end are the key's first ones. */
  #beginningAtEndOf(all: Buffer): number {
    for (let count = Math.min(this.#key.length - 1, all.length); count > 0; count -= 1)
      if (all.subarray(all.length - count).equals(this.#key.subarray(0, count))) return count;
    return 0;
  }
}
