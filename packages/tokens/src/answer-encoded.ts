import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';
import type { Usage } from '@nexus/domain';
import { BYTES_PER_TOKEN } from './answer-text.ts';
import type { Meter } from './meter.ts';

/** What is inflated of one answer, at most. */
const MOST_INFLATED_BYTES = 16_777_216;
/** Text and numbers inflate to some 3 to 20 times their size; a bomb to 1,000 times. */
const MOST_RATIO = 100;
/**
 * Below this the ratio says nothing: a few hundred bytes of header and repetition may well inflate so much.
 */
const RATIO_FROM_BYTES = 65_536;
/** Encoded bytes that wait for their turn in zlib, at most. */
const MOST_WAITING_BYTES = 4_194_304;

/** The inflater for a Content-Encoding, undefined if there is none (RFC 9110 §8.4.1; RFC 8878 for zstd). */
function inflaterOf(encoding: string): Transform | undefined {
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
    case 'deflate':
      return createInflate({ finishFlush: constants.Z_SYNC_FLUSH });
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
    case 'zstd':
      return createZstdDecompress({ finishFlush: constants.ZSTD_e_flush });
    default:
      return undefined;
  }
}

/**
 * Meters an encoded answer: the client gets its bytes untouched, a copy is inflated, within bounds, for the
 * meter inside. What can't be inflated is estimated by its size.
 */
export class EncodedMeter implements Meter {
  readonly #inside: Meter;
  readonly #estimatesText: boolean;
  #inflater: Transform | undefined;
  #encodedBytes = 0;
  #inflatedBytes = 0;
  #unreadable = false;
  #ended = false;
  readonly #closed: Promise<void>;
  #close: () => void = () => {};

  /** `estimatesText`: the answer is text of the model, so what isn't read of it counts as such. */
  constructor(inside: Meter, encoding: string, estimatesText: boolean) {
    this.#inside = inside;
    this.#estimatesText = estimatesText;
    this.#closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    this.#inflater = inflaterOf(encoding);
    if (this.#inflater === undefined) this.#giveUp();
    this.#inflater?.on('data', (bytes: Buffer) => this.#read(bytes));
    this.#inflater?.on('error', () => this.#giveUp());
    this.#inflater?.on('end', () => this.#finish());
  }

  get dataEvents(): number {
    return this.#inside.dataEvents;
  }

  get finished(): boolean {
    return this.#inside.finished || (this.#ended && this.#unreadable);
  }

  write(chunk: Uint8Array): Uint8Array {
    this.#encodedBytes += chunk.length;
    const inflater = this.#inflater;
    if (inflater === undefined || inflater.writableEnded) return chunk;
    if (inflater.writableLength + chunk.length > MOST_WAITING_BYTES) this.#giveUp();
    else inflater.write(chunk);
    return chunk;
  }

  end(): undefined {
    this.#ended = true;
    if (this.#inflater?.writableEnded === false) this.#inflater.end();
  }

  outputTokensSoFar(): number {
    return Math.max(this.#inside.outputTokensSoFar(), this.#tokensBySize());
  }

  usage(): Usage {
    const usage = this.#inside.usage();
    if (!this.#unreadable || usage.source === 'reported' || !this.#estimatesText) return usage;
    return {
      ...usage,
      outputTokens: Math.max(usage.outputTokens, this.#tokensBySize()),
      source: 'estimated',
    };
  }

  async settled(): Promise<void> {
    // An answer that broke off is read as far as it came.
    if (this.#inflater?.writableEnded === false) this.#inflater.end();
    await this.#closed;
    await this.#inside.settled();
  }

  #read(bytes: Buffer): void {
    if (this.#inflater === undefined) return;
    this.#inflatedBytes += bytes.length;
    const bomb =
      this.#inflatedBytes > RATIO_FROM_BYTES && this.#inflatedBytes > this.#encodedBytes * MOST_RATIO;
    if (bomb || this.#inflatedBytes > MOST_INFLATED_BYTES) {
      this.#giveUp();
    } else {
      this.#inside.write(bytes);
    }
  }

  #giveUp(): void {
    this.#unreadable = true;
    const inflater = this.#inflater;
    this.#inflater = undefined;
    inflater?.destroy();
    this.#finish();
  }

  #finish(): void {
    if (this.#ended) this.#inside.end();
    this.#close();
  }

  /** Where not all could be read: by the encoded size, since the whole is at least that much text. */
  #tokensBySize(): number {
    return this.#unreadable && this.#estimatesText ? Math.ceil(this.#encodedBytes / BYTES_PER_TOKEN) : 0;
  }
}
