import { isObject, type JsonObject } from './usage-report.ts';

const NAME = Buffer.from('"usage"');
/** From `"usage"` to the end of an answer: some 400 bytes where APIs have it last, and little behind it. */
const MOST_TAIL_BYTES = 2048;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/**
 * The object `usage` of a whole JSON answer, read from its end: what stands before it is neither parsed nor looked at.
 * Undefined where the end leaves a doubt; then the whole must be parsed.
 *
 * For a text that is JSON it is exactly what JSON.parse finds. `"usage"` with no backslash before it, between `{` or `,`
 * and `:`, is a name; if behind it just one bracket closes that wasn't opened there, it stands in the outermost object;
 * and no such name comes later, in this spelling or (since no backslash follows) in another.
 */
export function usageAtEnd(body: Buffer): JsonObject | undefined {
  const at = body.lastIndexOf(NAME);
  if (at < 1 || body.length - at > MOST_TAIL_BYTES) return undefined;
  const before = body[beforeBlanks(body, at) - 1];
  if (before !== COMMA && before !== OPEN_OBJECT) return undefined;
  if (body[behindBlanks(body, 0)] !== OPEN_OBJECT) return undefined;
  const colon = behindBlanks(body, at + NAME.length);
  const start = behindBlanks(body, colon + 1);
  if (body[colon] !== COLON || body[start] !== OPEN_OBJECT) return undefined;
  const end = endOfValue(body, start);
  return end < 0 ? undefined : parsedObject(body.toString('utf8', start, end));
}

/** Where the value at `start` ends, if the object around it is the outermost one and has no backslash in its rest; else −1. */
function endOfValue(body: Buffer, start: number): number {
  let depth = 0;
  let end = -1;
  let inString = false;
  for (let at = start; at < body.length; at++) {
    const byte = body[at];
    if (byte === BACKSLASH) return -1;
    if (byte === QUOTE) inString = !inString;
    else if (inString) continue;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth--;
      if (depth === 0 && end < 0) end = at + 1;
      if (depth < 0) return byte === CLOSE_OBJECT && behindBlanks(body, at + 1) === body.length ? end : -1;
    }
  }
  return -1;
}

/** Behind the white space that begins at `from`. */
function behindBlanks(body: Buffer, from: number): number {
  let at = from;
  while (isBlank(body[at])) at++;
  return at;
}

/** Where the white space begins that ends at `to`. */
function beforeBlanks(body: Buffer, to: number): number {
  let at = to;
  while (isBlank(body[at - 1])) at--;
  return at;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function parsedObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
