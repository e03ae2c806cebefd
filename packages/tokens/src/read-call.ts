import {
  asksStream,
  type CallReading,
  canAskUsage,
  choicesOf,
  EMPTY_BODY,
  invalidBody,
  METERED_FIELDS,
  modelOf,
  NOT_AN_OBJECT,
  NOT_JSON,
  refuseDuplicates,
  statedOutputTokens,
  usageSplice,
} from './call-fields.ts';
import type { CallKind } from './call-kind.ts';
import { encodingOf } from './encoding.ts';
import { isObject, type JsonObject, textField } from './json-value.ts';
import { PromptTally } from './prompt-tally.ts';
import { tallyPrompt } from './prompt-tokens.ts';
import { TopLevelScan } from './top-level-scan.ts';

/** Where the JSON begins: behind a byte order mark, which RFC 8259 §8.1 lets a reader ignore. */
export function startOfJson(body: Buffer): number {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
}

/** JSON.parse takes 2 s for 5 million brackets in each other. No body of a few kilobytes gets this deep. */
const DEEPEST = 10_000;
/**
 * An object of 12 bytes takes 200 once parsed, and a thread whose heap ends within JSON.parse takes the process with
 * it, whatever its resourceLimits. So many parts take at most some 60 MB.
 */
const MOST_PARTS = 500_000;
const TOLD_APART_BYTES = 64 * 1024;
const OPEN = 0x7b;

/**
 * Reads a whole body on this thread: its fields from JSON.parse, the duplicates and places that JSON.parse hides from a
 * scan of the bytes. Text beyond `maxCountedChars` is estimated. Throws GatewayError `invalid_body`, and RangeError for a
 * body whose parts are too many or nested too deeply to be parsed in bounded time and memory.
 */
export function readCall(kind: CallKind, body: Buffer, maxCountedChars: number): CallReading {
  const start = startOfJson(body);
  if (start === body.length) throw invalidBody(EMPTY_BODY);
  // A body of fewer bytes can't exceed a bound: it is scanned only where its names leave a doubt.
  let scan = body.length > DEEPEST ? boundedScan(body, start) : undefined;
  const text = body.toString('utf8', start);
  const call = parse(text);
  if (!isObject(call)) throw invalidBody(NOT_AN_OBJECT);
  const stream = asksStream(kind, call);
  const hasOptions = canAskUsage(kind, stream) && Object.hasOwn(call, 'stream_options');
  if (hasOptions || !namesOnce(call, text)) scan ??= boundedScan(body, start);
  if (scan) refuseDuplicates(scan);

  const model = modelOf(kind, call);
  const tally = new PromptTally(encodingOf(model), maxCountedChars);
  tallyPrompt(tally, kind, call);
  const open = scan?.open ?? (body[start] === OPEN ? start : body.indexOf(OPEN, start));
  return {
    model,
    stream,
    inputTokens: tally.tokens,
    inputSource: tally.exact ? 'counted' : 'estimated',
    choices: choicesOf(kind, call),
    statedOutputTokens: statedOutputTokens(kind, call),
    user: textField(call, 'user'),
    safetyIdentifier: textField(call, 'safety_identifier'),
    askUsage: usageSplice(kind, stream, body, open, scan?.fields.get('stream_options')),
  };
}

function boundedScan(body: Buffer, start: number): TopLevelScan {
  const scan = new TopLevelScan(body, start, body.length, METERED_FIELDS);
  scan.step(body.length);
  // What doesn't begin as an object is wrong in any case; of a few kilobytes the parser may say how.
  if (scan.open < 0 && body.length > TOLD_APART_BYTES) throw invalidBody(NOT_AN_OBJECT);
  if (scan.deepest > DEEPEST || scan.parts > MOST_PARTS) {
    throw new RangeError('The body has too many parts, or too deep ones, to be parsed.');
  }
  return scan;
}

const QUOTED: ReadonlyMap<string, string> = new Map([...METERED_FIELDS].map((name) => [name, `"${name}"`]));
/** A name that has no other spelling in capitals, and whose characters have none but an escape by number. */
const PLAIN_NAME = /^[a-z0-9_.-]*$/;

/**
 * True where the text can't name a metered field twice, whatever the spelling: all names that JSON.parse kept are plain,
 * nothing is escaped by number, and none of the metered names stands in quotes twice, anywhere. False only means that it must be scanned.
 */
function namesOnce(call: JsonObject, text: string): boolean {
  if (text.includes('\\u')) return false;
  for (const name of Object.keys(call)) {
    const quoted = QUOTED.get(name);
    if (quoted === undefined) {
      if (!PLAIN_NAME.test(name)) return false;
    } else if (text.includes(quoted, text.indexOf(quoted) + quoted.length)) return false;
  }
  return true;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the body.
    throw invalidBody(text.trim() === '' ? EMPTY_BODY : NOT_JSON);
  }
}
