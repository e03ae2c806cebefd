import type { IncomingHttpHeaders } from 'node:http';

/** How the end of an answer's body is found (RFC 9112 §6.3). */
export type AnswerFraming =
  | { readonly by: 'length'; readonly bytes: number }
  | { readonly by: 'chunks' }
  /** The body ends with the connection. */
  | { readonly by: 'close' };

/** The head of an answer. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** By names in lower case; what came more than once is a list. */
  readonly headers: IncomingHttpHeaders;
  readonly framing: AnswerFraming;
  /** Whether another request may follow on the connection. */
  readonly keepsAlive: boolean;
  /** How long the server keeps an idle connection, if it says so. */
  readonly idleSeconds: number | undefined;
}

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What a head may not hold (RFC 9110 §5.5): control characters, and line ends that aren't CR LF. */
const NOT_IN_A_HEAD = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;
const DIGITS = /^\d{1,15}$/;
const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\s])timeout=(\d{1,9})(?:$|[,;\s])/i;

const lowerNames = new Map<string, string>();
const MOST_NAMES_KEPT = 1_024;

/** A field's name in lower case; undefined: it is none. Servers repeat themselves, so most names are looked at once. */
function lowerName(name: string): string | undefined {
  const known = lowerNames.get(name);
  if (known !== undefined) return known;
  if (!TOKEN.test(name)) return undefined;
  const lower = name.toLowerCase();
  if (lowerNames.size < MOST_NAMES_KEPT) lowerNames.set(name, lower);
  return lower;
}

/**
 * Reads the head of an answer: its lines, without the empty one that ends them. Strict where laxness would let two readers see two answers.
 * @returns undefined if it is no head of HTTP/1.0 or 1.1, or doesn't say for sure where its body ends
 */
export function parseAnswerHead(text: string): AnswerHead | undefined {
  if (NOT_IN_A_HEAD.test(text)) return undefined;
  const firstEnd = endOfLine(text, 0);
  const status = statusIn(text, firstEnd);
  if (status === undefined) return undefined;
  const headers: IncomingHttpHeaders = {};
  for (let at = firstEnd + 2; at < text.length; ) {
    const end = endOfLine(text, at);
    const colon = text.indexOf(':', at);
    // A line that begins with a blank would go on with the one before it: nobody sends such lines any more (RFC 9112 §5.2).
    if (colon < 0 || colon >= end) return undefined;
    const name = lowerName(text.slice(at, colon));
    if (name === undefined) return undefined;
    add(headers, name, valueIn(text, colon + 1, end));
    at = end + 2;
  }
  return described(status, text.slice(13, Math.max(13, firstEnd)), text.charCodeAt(7) === ONE, headers);
}

const BLANK = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
const ONE = 0x31;

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\r\n', from);
  return end < 0 ? text.length : end;
}

/** `HTTP/1.x`, a blank, three digits, and nothing, or a blank and the reason (RFC 9112 §4). */
function statusIn(text: string, end: number): number | undefined {
  if (!text.startsWith('HTTP/1.') || end < 12 || text.charCodeAt(8) !== BLANK) return undefined;
  const minor = text.charCodeAt(7) - ZERO;
  if (minor !== 0 && minor !== 1) return undefined;
  if (end > 12 && text.charCodeAt(12) !== BLANK) return undefined;
  const digits = text.slice(9, 12);
  return DIGITS.test(digits) ? Number(digits) : undefined;
}

function valueIn(text: string, from: number, end: number): string {
  let first = from;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first += 1;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last -= 1;
  return text.slice(first, last);
}

function isBlank(code: number): boolean {
  return code === BLANK || code === TAB;
}

function add(headers: IncomingHttpHeaders, name: string, value: string): void {
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  // `constructor` and its like are there before anything is added.
  else if (!Object.hasOwn(headers, name))
    Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
  else headers[name] = Array.isArray(before) ? [...before, value] : [before, value];
}

function described(
  status: number,
  reason: string,
  isHttp11: boolean,
  headers: IncomingHttpHeaders,
): AnswerHead | undefined {
  const framing = framingOf(status, isHttp11, headers);
  if (framing === undefined) return undefined;
  const { connection, 'keep-alive': keepAlive } = headers;
  const keepsAlive = isHttp11 && framing.by !== 'close' && !asksToClose(connection);
  const said = typeof keepAlive === 'string' ? KEEP_ALIVE_TIMEOUT.exec(keepAlive)?.[1] : undefined;
  return { status, reason, headers, framing, keepsAlive, idleSeconds: said ? Number(said) : undefined };
}

const NO_BODY: AnswerFraming = { by: 'length', bytes: 0 };

/** RFC 9112 §6.3. Two lengths, or a length and a coding, are how answers are smuggled (§11.2): they are none. */
function framingOf(
  status: number,
  isHttp11: boolean,
  headers: { readonly [name: string]: unknown },
): AnswerFraming | undefined {
  const length = headers['content-length'];
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    const isChunked = typeof coding === 'string' && coding.toLowerCase() === 'chunked';
    if (!isChunked || !isHttp11 || length !== undefined) return undefined;
  }
  if (length !== undefined && !(typeof length === 'string' && DIGITS.test(length))) return undefined;
  if (status < 200 || status === 204 || status === 304) return NO_BODY;
  if (coding !== undefined) return { by: 'chunks' };
  return length === undefined ? { by: 'close' } : { by: 'length', bytes: Number(length) };
}

function asksToClose(connection: string | string[] | undefined): boolean {
  if (connection === undefined || connection === 'keep-alive') return false;
  return String(connection)
    .split(',')
    .some((option) => option.trim().toLowerCase() === 'close');
}
