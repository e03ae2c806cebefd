import type { AnswerFraming } from './answer-head.ts';
import { ChunkedBody } from './chunked-body.ts';

/** Finds the end of an answer's body. */
export class AnswerBody {
  readonly #chunks: ChunkedBody | undefined;
  #leftBytes: number;

  constructor(framing: AnswerFraming) {
    this.#chunks = framing.by === 'chunks' ? new ChunkedBody() : undefined;
    this.#leftBytes = framing.by === 'length' ? framing.bytes : Number.POSITIVE_INFINITY;
  }

  /** Whether the end has come; a body that ends with its connection has none before that. */
  get isOver(): boolean {
    return this.#chunks ? this.#chunks.isOver : this.#leftBytes === 0;
  }

  /**
   * Takes bytes of the connection, up to the end of the body.
   * @param give gets each piece of data
   * @returns how many bytes were the body's; -1 if they are no body
   */
  take(bytes: Buffer, give: (data: Buffer) => void): number {
    if (this.#chunks) return this.#chunks.take(bytes, give);
    const taken = Math.min(bytes.length, this.#leftBytes);
    this.#leftBytes -= taken;
    give(taken === bytes.length ? bytes : bytes.subarray(0, taken));
    return taken;
  }
}
