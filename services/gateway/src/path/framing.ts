import type { IncomingMessage } from 'node:http';
import { GatewayError } from '@nexus/domain';

/** More fields than any client sends, and far fewer than the 2,000 past which Node drops them silently. */
const MOST_FIELDS = 200;

/** Fields that must come once: two of them let two parsers read two different requests (RFC 9112 §11.2). */
const ONCE = new Set(['host', 'authorization', 'content-length', 'transfer-encoding', 'content-type']);
/** How long those names are: most fields need no closer look. */
const LENGTHS: readonly boolean[] = Array.from({ length: 18 }, (_, length) =>
  [...ONCE].some((name) => name.length === length),
);

/**
 * Checks the head of a request before anything else reads it.
 * @throws GatewayError `headers_too_large`, `bad_framing` or `bad_path`
 */
export function checkFraming(req: IncomingMessage): void {
  const raw = req.rawHeaders;
  if (raw.length > MOST_FIELDS * 2) throw new GatewayError('headers_too_large');
  if (req.httpVersionMajor !== 1)
    throw new GatewayError('bad_framing', { message: 'Only HTTP/1.1 and HTTP/1.0 are spoken here.' });
  let seen: Set<string> | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const field = raw[i];
    if (field === undefined || LENGTHS[field.length] !== true) continue;
    const name = field.toLowerCase();
    if (!ONCE.has(name)) continue;
    seen ??= new Set();
    if (seen.has(name))
      throw new GatewayError('bad_framing', { message: `The header ${name} came more than once.` });
    seen.add(name);
  }
  // RFC 9112 §3.2: HTTP/1.1 has a Host, always.
  if (req.httpVersionMinor > 0 && req.headers.host === undefined)
    throw new GatewayError('bad_framing', { message: 'The Host header is missing.' });
  const coding = req.headers['transfer-encoding'];
  if (coding !== undefined) checkTransferCoding(req, coding);
  checkPath(req.url ?? '');
}

/** RFC 9112 §6.1: chunked alone, never in HTTP/1.0, never beside Content-Length. */
function checkTransferCoding(req: IncomingMessage, coding: string): void {
  if (coding.trim().toLowerCase() !== 'chunked')
    throw new GatewayError('bad_framing', { message: 'Transfer-Encoding must be `chunked`.' });
  if (req.httpVersionMinor === 0)
    throw new GatewayError('bad_framing', { message: 'HTTP/1.0 has no Transfer-Encoding.' });
  if (req.headers['content-length'] !== undefined)
    throw new GatewayError('bad_framing', {
      message: 'Content-Length and Transfer-Encoding exclude each other.',
    });
}

/** What one server reads as another path than the next one does: never forwarded. */
const AMBIGUOUS = /[^\x21-\x7e]|[#\\]|\/\/|%(?:2[ef]|5c|[01][0-9a-f]|7f)|\/\.{1,2}(?:\/|$)/i;

function checkPath(url: string): void {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  const query = end < 0 ? '' : url.slice(end);
  if (!path.startsWith('/') || AMBIGUOUS.test(path) || /[^\x21-\x7e]|#/.test(query))
    throw new GatewayError('bad_path');
}
