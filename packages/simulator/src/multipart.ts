/** One part of a multipart/form-data body. */
export interface Part {
  readonly name: string;
  readonly filename: string | undefined;
  readonly contentType: string | undefined;
  readonly content: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * The parts of a multipart/form-data body (RFC 7578) by their names, the last of a name winning; undefined if it isn't one
 * or isn't whole.
 */
export function parseMultipart(contentType: string | undefined, body: Buffer): Map<string, Part> | undefined {
  const match = /^multipart\/form-data\b.*?;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '');
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) return undefined;
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const parts = new Map<string, Part>();
  // The first delimiter may stand at the very beginning, without its line break.
  let at = body.indexOf(delimiter.subarray(2));
  if (at < 0) return undefined;
  at += delimiter.length - 2;
  while (body.toString('latin1', at, at + 2) !== '--') {
    const headEnd = body.indexOf(HEAD_END, at);
    const next = headEnd < 0 ? -1 : body.indexOf(delimiter, headEnd + 2);
    if (next < 0) return undefined;
    const head = body.toString('utf8', at, headEnd);
    const disposition = /^content-disposition:(.*)$/im.exec(head)?.[1] ?? '';
    const name = /[;\s]name="((?:[^"\\]|\\.)*)"/i.exec(disposition)?.[1];
    if (name !== undefined) {
      parts.set(name, {
        name,
        filename: /[;\s]filename="((?:[^"\\]|\\.)*)"/i.exec(disposition)?.[1],
        contentType: /^content-type:\s*(.*?)\s*$/im.exec(head)?.[1],
        content: body.subarray(headEnd + HEAD_END.length, Math.max(next, headEnd + HEAD_END.length)),
      });
    }
    at = next + delimiter.length;
  }
  return parts;
}
