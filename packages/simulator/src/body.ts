import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';

const EMPTY = Buffer.alloc(0);

/** What came of a body. */
export type Arrival =
  | { readonly end: 'whole'; readonly body: Buffer }
  /** More than the limit; the rest is read and thrown away. */
  | { readonly end: 'too-large'; readonly body: Buffer }
  /** The client left in the middle. */
  | { readonly end: 'aborted'; readonly body: Buffer };

/** Reads a request's body and says once how it ended; at once where there is none. */
export function readBody(req: IncomingMessage, limitBytes: number, done: (arrival: Arrival) => void): void {
  const { headers } = req;
  if (headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0') {
    done({ end: 'whole', body: EMPTY });
    return;
  }
  let chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  const finish = (end: Arrival['end']) => {
    if (over) return;
    over = true;
    const [only, second] = chunks;
    const body = only === undefined ? EMPTY : second === undefined ? only : Buffer.concat(chunks);
    chunks = [];
    done({ end, body });
  };
  req.on('data', (chunk: Buffer) => {
    if (over) return;
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > limitBytes) finish('too-large');
  });
  req.once('end', () => finish('whole'));
  req.once('close', () => finish('aborted'));
  req.once('error', () => finish('aborted'));
}
