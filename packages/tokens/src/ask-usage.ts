import { type Span, TopLevelScan } from './top-level-scan.ts';

/** The body bytes [start, end) are replaced by `insert`; the rest stays as it is. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly insert: Uint8Array;
}

const ASK = Buffer.from('"stream_options":{"include_usage":true},');
const OPTIONS = Buffer.from('{"include_usage":true}');
const FIRST_OPTION = Buffer.from('"include_usage":true,');
const ONLY_OPTION = Buffer.from('"include_usage":true');
const TRUE = Buffer.from('true');

const INCLUDE_USAGE: ReadonlySet<string> = new Set(['include_usage']);

/**
 * The splice that makes a streaming call ask for the usage chunk (`stream_options.include_usage`, OpenAI's API reference,
 * chat and completions). Undefined where the call asks already, and where its stream_options are of a wrong type:
 * the upstream tells the client so. `duplicate`: include_usage stands there twice.
 */
export function askUsage(
  body: Buffer,
  open: number,
  options: Span | undefined,
): Splice | 'duplicate' | undefined {
  // The object holds at least `stream`, so the comma is right.
  if (options === undefined) return { start: open + 1, end: open + 1, insert: ASK };
  if (isLiteral(body, options, 'null')) return { start: options.start, end: options.end, insert: OPTIONS };
  if (body[options.start] !== 0x7b) return undefined;

  const scan = new TopLevelScan(body, options.start, options.end, INCLUDE_USAGE);
  scan.step(options.end - options.start);
  if (scan.duplicate !== undefined) return 'duplicate';
  const asked = scan.fields.get('include_usage');
  if (asked !== undefined) {
    const off = isLiteral(body, asked, 'false') || isLiteral(body, asked, 'null');
    return off ? { start: asked.start, end: asked.end, insert: TRUE } : undefined;
  }
  const inside = options.start + 1;
  return { start: inside, end: inside, insert: isEmpty(body, options) ? ONLY_OPTION : FIRST_OPTION };
}

function isLiteral(body: Buffer, span: Span, literal: string): boolean {
  return (
    span.end - span.start === literal.length && body.toString('latin1', span.start, span.end) === literal
  );
}

function isEmpty(body: Buffer, object: Span): boolean {
  for (let i = object.start + 1; i < object.end - 1; i++) {
    if ((body[i] ?? 0) > 0x20) return false;
  }
  return true;
}
