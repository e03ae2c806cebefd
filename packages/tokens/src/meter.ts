/**
 * The meter of an answer: it sees the bytes go by on their way to the client and knows, at any time, what the
 * answer has used. It never throws and never changes a byte, except where it takes out again what Nexus
 * itself had asked for.
 */

import type { Usage } from '@nexus/domain';
import { EncodedMeter } from './answer-encoded.ts';
import { ImageMeter } from './answer-image.ts';
import { JsonMeter } from './answer-json.ts';
import { StreamMeter } from './answer-stream.ts';
import type { CountText } from './answer-text.ts';
import { answersText, type CallKind } from './call-kind.ts';
import { countTokens } from './count.ts';
import { encodingOf } from './encoding.ts';
import { joinSides, type Side } from './usage-sides.ts';

export interface MeterOptions {
  /** `other`: not a metered call. Its usage is read where it has one; its text is never counted. */
  readonly kind: CallKind | 'other';
  /**
   * The answer's Content-Type as it came. `text/event-stream` makes it a stream, whatever its bytes look
   * like.
   */
  readonly contentType: string | undefined;
  /** The answer's Content-Encoding as it came. */
  readonly contentEncoding: string | undefined;
  /** Chooses the vocabulary where text is counted. */
  readonly model: string | undefined;
  /** What the prompt was taken for: used where the upstream reports no input. */
  readonly inputTokens: number;
  readonly inputSource: 'counted' | 'estimated';
  /**
   * Nexus asked for the stream's usage and the client didn't: its chunk, and the `,"usage":null` of the
   * others, are taken out again. Only for chat and completion streams without a Content-Encoding; without
   * effect elsewhere.
   */
  readonly hideUsage: boolean;
}

export interface Meter {
  /**
   * Takes a chunk of the answer; returns the bytes for the client: the chunk itself, or with `hideUsage`
   * maybe others, or none yet.
   */
  write(chunk: Uint8Array): Uint8Array | undefined;
  /** The upstream's answer is whole. Returns what was held back. Not for an answer that broke off. */
  end(): Uint8Array | undefined;
  /** The output so far, cheaply and roughly: text not yet counted is taken at four characters a token. */
  outputTokensSoFar(): number;
  /**
   * The answer is whole: its stream said so (`[DONE]`, `response.completed` / `incomplete` / `failed`,
   * `message_stop`), or it is no stream and has ended.
   */
  readonly finished: boolean;
  /**
   * Events seen that bring something: not comments, not `ping`. Outside of streams, chunks. For limits on
   * idle time.
   */
  readonly dataEvents: number;
  /** What the answer has used. At any time, also after it broke off; exact once `settled` has resolved. */
  usage(): Usage;
  /**
   * Resolves when all that was written has been read; undefined: it has been, as with all but encoded answers and large ones
   * that must be counted. Never rejects. Call it after the last write, whether or not the answer came to its
   * end.
   */
  settled(): Promise<void> | undefined;
}

/** Meters an answer that can hold no usage: a file, audio, an image. */
class BlindMeter implements Meter {
  dataEvents = 0;
  finished = false;
  readonly #usage: Usage;

  constructor(input: Side) {
    this.#usage = joinSides(undefined, input, { tokens: 0, source: 'reported' });
  }

  write(chunk: Uint8Array): Uint8Array {
    this.dataEvents++;
    return chunk;
  }

  end(): undefined {
    this.finished = true;
  }

  outputTokensSoFar(): number {
    return 0;
  }

  usage(): Usage {
    return this.#usage;
  }

  settled(): undefined {}
}

const JSON_TYPE = 'application/json';

/** A media type without its parameters, in lower case (RFC 9110 §8.3.1). */
function mediaType(contentType: string | undefined): string {
  if (contentType === undefined) return '';
  if (contentType === JSON_TYPE) return contentType;
  const semicolon = contentType.indexOf(';');
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

export function makeMeter(options: MeterOptions): Meter {
  const { kind } = options;
  const type = mediaType(options.contentType);
  const encoding = options.contentEncoding?.trim().toLowerCase() ?? '';
  const encoded = encoding !== '' && encoding !== 'identity';
  const input: Side = { tokens: options.inputTokens, source: options.inputSource };
  const hasText = answersText(kind);
  const count: CountText | undefined = hasText
    ? (text) => countTokens(text, encodingOf(options.model))
    : undefined;

  let meter: Meter;
  if (type === 'text/event-stream') {
    const hide = options.hideUsage && !encoded && (kind === 'chat' || kind === 'completion');
    meter = new StreamMeter(hide, input, count);
  } else if ((kind !== 'other' && kind !== 'speech') || type === JSON_TYPE || type.endsWith('+json')) {
    meter = new JsonMeter(input, count);
  } else {
    return new BlindMeter(input);
  }
  if (encoded) meter = new EncodedMeter(meter, encoding, hasText);
  return kind === 'image' ? new ImageMeter(meter) : meter;
}
