import { AnswerFields, lowerNameIn } from './answer-fields.ts';

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
  readonly fields: AnswerFields;
  readonly framing: AnswerFraming;
  /** Whether another request may follow on the connection. */
  readonly keepsAlive: boolean;
  /** How long the server keeps an idle connection, if it says so. */
  readonly idleSeconds: number | undefined;
}

/** Control characters, which no head has (RFC 9110 §5.5); line ends are looked at one by one. */
const NOT_IN_A_HEAD = /[^\t\r\n\x20-\x7e\x80-\xff]/;
const DIGITS = /^\d{1,15}$/;
const STATUS = /^[1-9]\d\d$/;
const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\s])timeout=(\d{1,9})(?:$|[,;\s])/i;

const BLANK = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
const ONE = 0x31;

/**
 * Reads the head of an answer: its lines, without the empty one that ends them. Strict where laxness would let two readers see two answers.
 * @returns undefined if it is no head of HTTP/1.0 or 1.1, or doesn't say for sure where its body ends
 */
export function parseAnswerHead(text: string): AnswerHead | undefined {
  if (NOT_IN_A_HEAD.test(text)) return undefined;
  const firstEnd = endOfLine(text, 0);
  const status = statusIn(text, firstEnd);
  if (status === undefined) return undefined;
  const list: string[] = [];
  for (let at = firstEnd + 2; at < text.length; ) {
    const end = endOfLine(text, at);
    const colon = text.indexOf(':', at);
    // A line that begins with a blank would go on with the one before it: nobody sends such lines any more (RFC 9112 §5.2).
    if (end < 0 || colon < 0 || colon >= end) return undefined;
    const name = lowerNameIn(text, at, colon);
    if (name === undefined) return undefined;
    list.push(name, valueIn(text, colon + 1, end));
    at = end + 2;
  }
  const reason = text.slice(Math.min(13, firstEnd), firstEnd);
  return described(status, reason, text.charCodeAt(7) === ONE, new AnswerFields(list));
}

/** Where the line from `from` on ends; -1: it doesn't end as lines do, with CR LF. The last has no end of its own. */
function endOfLine(text: string, from: number): number {
  const cr = text.indexOf('\r', from);
  const lf = text.indexOf('\n', from);
  if (cr < 0 && lf < 0) return text.length;
  return cr >= 0 && lf === cr + 1 ? cr : -1;
}

/** `HTTP/1.x`, a blank, three digits, and nothing, or a blank and the reason (RFC 9112 §4). */
function statusIn(text: string, end: number): number | undefined {
  if (!text.startsWith('HTTP/1.') || end < 12 || text.charCodeAt(8) !== BLANK) return undefined;
  const minor = text.charCodeAt(7) - ZERO;
  if (minor !== 0 && minor !== 1) return undefined;
  if (end > 12 && text.charCodeAt(12) !== BLANK) return undefined;
  const digits = text.slice(9, 12);
  return STATUS.test(digits) ? Number(digits) : undefined;
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

function described(
  status: number,
  reason: string,
  isHttp11: boolean,
  fields: AnswerFields,
): AnswerHead | undefined {
  const framing = framingOf(status, isHttp11, fields);
  if (framing === undefined) return undefined;
  const isClear = isHttp11 && framing.by !== 'close' && !asksToClose(fields.joined('connection'));
  // A 204 has no body: one that states a body may be followed by it, and then by nothing that can be trusted.
  const keepsAlive = isClear && (status !== 204 || !statesBody(fields));
  const keepAlive = fields.get('keep-alive');
  const said = keepAlive === undefined ? undefined : KEEP_ALIVE_TIMEOUT.exec(keepAlive)?.[1];
  return { status, reason, fields, framing, keepsAlive, idleSeconds: said ? Number(said) : undefined };
}

const NO_BODY: AnswerFraming = { by: 'length', bytes: 0 };

/** RFC 9112 §6.3. Two lengths, or a length and a coding, are how answers are smuggled (§11.2): they are none. */
function framingOf(status: number, isHttp11: boolean, fields: AnswerFields): AnswerFraming | undefined {
  const length = fields.joined('content-length');
  const coding = fields.joined('transfer-encoding');
  if (coding !== undefined) {
    const isChunked = coding.toLowerCase() === 'chunked';
    if (!isChunked || !isHttp11 || length !== undefined) return undefined;
  }
  if (length !== undefined && !DIGITS.test(length)) return undefined;
  if (status < 200) return statesBody(fields) ? undefined : NO_BODY;
  if (status === 204 || status === 304) return NO_BODY;
  if (coding !== undefined) return { by: 'chunks' };
  return length === undefined ? { by: 'close' } : { by: 'length', bytes: Number(length) };
}

function statesBody(fields: AnswerFields): boolean {
  return fields.get('transfer-encoding') !== undefined || Number(fields.get('content-length') ?? 0) > 0;
}

function asksToClose(connection: string | undefined): boolean {
  if (connection === undefined || connection === 'keep-alive') return false;
  return connection.split(',').some((option) => option.trim().toLowerCase() === 'close');
}
