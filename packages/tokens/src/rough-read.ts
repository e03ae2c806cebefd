import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  asksStream,
  type CallReading,
  choicesOf,
  EMPTY_BODY,
  invalidBody,
  modelOf,
  NAMED_FIELDS,
  NOT_AN_OBJECT,
  NOT_JSON,
  refuseDuplicates,
  statedOutputTokens,
  usageSplice,
} from './call-fields.ts';
import type { CallKind } from './call-kind.ts';
import type { JsonObject } from './json-value.ts';
import { startOfJson } from './read-call.ts';
import { type Span, TopLevelScan } from './top-level-scan.ts';

/** Bytes scanned in one turn of the event loop: some 2 ms at worst. */
const STEP_BYTES = 256 * 1024;
/** A value of a metered field longer than this is no number, flag or model name. */
const LONGEST_SCALAR_BYTES = 512;
/** English and code take some 4 bytes a token, other scripts some 3 in UTF-8. */
const ASCII_BYTES_PER_TOKEN = 4;
const OTHER_BYTES_PER_TOKEN = 3;
/** What the bytes between strings stand for, e.g. arrays of tokens: a number and its comma. */
const PLAIN_BYTES_PER_TOKEN = 6;
/** Strings longer than this may be media; each counts as one image of OpenAI's default size. */
const LONGEST_WORD_BYTES = 1024;
const MEDIA_TOKENS = 765;
/** How a data URL begins, or base64 of PNG, JPEG, GIF, WebP and WAV (RIFF), PDF, Ogg, FLAC, MP3, MP4. */
const MEDIA =
  /^(?:data:[\w.+/-]{1,100}[;,]|iVBORw0KGgo|\/9j\/|R0lGOD|UklGR|JVBERi0|T2dnUw|ZkxhQ|SUQz|\/\/[sOtuvPQ]|AAAA[GHI])/;
const WINDOWS = 32;
const WINDOW_BYTES = 256;

/**
 * Reads a body without parsing it, in short turns of the event loop: the scalar fields exactly, the input from the length of
 * its strings. For when the thread that parses is behind or gone. Rejects with GatewayError `invalid_body` for what it
 * sees is no JSON object; other faults are left to the upstream.
 */
export async function readRoughly(kind: CallKind, body: Buffer): Promise<CallReading> {
  const start = startOfJson(body);
  const weight = new StringWeight(body);
  const scan = new TopLevelScan(body, start, body.length, NAMED_FIELDS, (from, to) => weight.add(from, to));
  while (!scan.step(STEP_BYTES)) await nextTurn();
  if (scan.open < 0) throw invalidBody(isBlank(body, start) ? EMPTY_BODY : NOT_AN_OBJECT);
  if (!scan.closed) throw invalidBody(NOT_JSON);
  refuseDuplicates(scan);

  const call = scalarFields(body, scan);
  const stream = asksStream(kind, call);
  const text = (name: string) => {
    const value = call[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    model: modelOf(kind, call),
    stream,
    inputTokens: weight.tokens(body.length),
    inputSource: 'estimated',
    choices: choicesOf(kind, call),
    statedOutputTokens: statedOutputTokens(kind, call),
    user: text('user'),
    safetyIdentifier: text('safety_identifier'),
    askUsage: usageSplice(kind, stream, body, scan.open, scan.fields.get('stream_options')),
  };
}

function isBlank(body: Buffer, start: number): boolean {
  return body.toString('latin1', start, start + STEP_BYTES).trim() === '';
}

/** The fields short enough to be read by themselves. */
function scalarFields(body: Buffer, scan: TopLevelScan): JsonObject {
  const call: Record<string, unknown> = {};
  for (const [name, span] of scan.fields) call[name] = scalar(body, span);
  return call;
}

function scalar(body: Buffer, { start, end }: Span): unknown {
  if (end - start > LONGEST_SCALAR_BYTES) return undefined;
  try {
    return JSON.parse(body.toString('utf8', start, end));
  } catch {
    throw invalidBody(NOT_JSON);
  }
}

/** Guesses tokens from the lengths of strings, media set apart. */
class StringWeight {
  readonly #body: Buffer;
  #textBytes = 0;
  #mediaBytes = 0;
  #media = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  add(start: number, end: number): void {
    if (end - start > LONGEST_WORD_BYTES && MEDIA.test(this.#body.toString('latin1', start, start + 128))) {
      this.#media++;
      this.#mediaBytes += end - start;
    } else {
      this.#textBytes += end - start;
    }
  }

  tokens(bodyBytes: number): number {
    const wide = this.#textBytes * this.#wideShare();
    const plain = bodyBytes - this.#textBytes - this.#mediaBytes;
    return Math.ceil(
      (this.#textBytes - wide) / ASCII_BYTES_PER_TOKEN +
        wide / OTHER_BYTES_PER_TOKEN +
        plain / PLAIN_BYTES_PER_TOKEN +
        this.#media * MEDIA_TOKENS,
    );
  }

  /** The share of bytes that aren't ASCII, from windows spread over the body. */
  #wideShare(): number {
    let seen = 0;
    let wide = 0;
    for (let i = 0; i < WINDOWS; i++) {
      const from = Math.floor((Math.max(0, this.#body.length - WINDOW_BYTES) * i) / (WINDOWS - 1));
      for (const byte of this.#body.subarray(from, from + WINDOW_BYTES)) {
        seen++;
        if (byte >= 0x80) wide++;
      }
    }
    return seen === 0 ? 0 : wide / seen;
  }
}
