import { AnswerFields } from './answer-fields.ts';
import { KnownLines } from './known-lines.ts';

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

const DIGITS = /^\d{1,15}$/;
/** `HTTP/1.x`, a blank, three digits, and nothing, or a blank and the reason (RFC 9112 §4), which has no control characters. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\s])timeout=(\d{1,9})(?:$|[,;\s])/i;

const CR = 0x0d;
const LF = 0x0a;

/** The first line of a head. */
interface StatusLine {
  readonly text: string;
  readonly isHttp11: boolean;
  readonly status: number;
  readonly reason: string;
}

/** Reads the heads of one server's answers. Strict where laxness would let two readers see two answers. */
export class AnswerHeads {
  readonly #lines = new KnownLines();
  /** The last one: most answers begin alike. */
  #statusLine: StatusLine | undefined;

  /**
   * Reads a head: the lines in `bytes` up to `end`, where the last of them has its CR LF.
   * @returns undefined if it is no head of HTTP/1.0 or 1.1, or doesn't say for sure where its body ends
   */
  read(bytes: Buffer, end: number): AnswerHead | undefined {
    const firstEnd = bytes.indexOf(CR);
    if (firstEnd < 0 || bytes[firstEnd + 1] !== LF) return undefined;
    const first = this.#first(bytes.toString('latin1', 0, firstEnd));
    if (first === undefined) return undefined;
    const list = this.#lines.read(bytes, firstEnd + 2, end);
    return list && described(first, new AnswerFields(list));
  }

  #first(text: string): StatusLine | undefined {
    if (this.#statusLine?.text === text) return this.#statusLine;
    const [, minor, status, reason = ''] = STATUS_LINE.exec(text) ?? [];
    if (status === undefined) return undefined;
    this.#statusLine = { text, isHttp11: minor === '1', status: Number(status), reason };
    return this.#statusLine;
  }
}

function described({ status, reason, isHttp11 }: StatusLine, fields: AnswerFields): AnswerHead | undefined {
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
