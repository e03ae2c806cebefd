import type { ServerResponse } from 'node:http';
import type { GatewayError } from '@nexus/domain';
import { type Dialect, type Exchange, waitsToBeAsked } from '../path/exchange.ts';
import { markClosing } from './closing.ts';
import type { RefusalReply } from './refusal.ts';

/** Anthropic's `error.type` for a status. Source: its API reference, "Errors". */
const ANTHROPIC_TYPES = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
  [504, 'timeout_error'],
]);

interface ErrorFields {
  readonly message: string;
  readonly type: string;
  readonly code: string;
}

/** The body of an error as the client's SDK reads it. */
export function errorBody(dialect: Dialect, status: number, error: ErrorFields, requestId: string): string {
  if (dialect === 'anthropic') {
    const type = ANTHROPIC_TYPES.get(status) ?? (status < 500 ? 'invalid_request_error' : 'api_error');
    return JSON.stringify({ type: 'error', error: { type, message: error.message }, request_id: requestId });
  }
  const { message, type, code } = error;
  return JSON.stringify({ error: { message, type, param: null, code } });
}

/** An unread request body up to this size is let in and dropped, so that the connection can stay open. */
const SMALL_BODY_BYTES = 64 * 1024;
/** Of a larger one this much is read before the connection closes, or a proxy in front turns the answer into a 502. */
const MOST_DRAINED_BYTES = 4 * 1024 * 1024;
const LONGEST_DRAIN_MS = 5_000;

function send(exchange: Exchange, status: number, body: string, headers: readonly string[]): void {
  const { req, res, requestId } = exchange;
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const unasked = waitsToBeAsked(exchange) && !exchange.bodyAsked;
  const close = unasked || status === 400 || status === 408 || status === 431 || holdsLargeBody(exchange);
  const bytes = Buffer.from(body);
  const all = ['content-type', 'application/json', 'content-length', String(bytes.length)];
  all.push('x-request-id', requestId, 'request-id', requestId, 'x-nexus-source', 'nexus', ...headers);
  if (close) {
    all.push('connection', 'close');
    markClosing(req.socket);
  }
  res.writeHead(status, all);
  exchange.bytesOut += bytes.length;
  if (close && !req.complete && !unasked) drainThenEnd(exchange, bytes);
  else res.end(req.method === 'HEAD' ? undefined : bytes);
}

function holdsLargeBody({ req }: Exchange): boolean {
  if (req.complete) return false;
  const length = Number(
    req.headers['content-length'] ?? (req.headers['transfer-encoding'] ? Number.POSITIVE_INFINITY : 0),
  );
  return length > SMALL_BODY_BYTES;
}

function drainThenEnd({ req, res }: Exchange, body: Buffer): void {
  let drained = 0;
  const socket = req.socket;
  const stop = setTimeout(() => socket.destroy(), LONGEST_DRAIN_MS);
  stop.unref();
  socket.once('close', () => clearTimeout(stop));
  res.write(body);
  req.on('data', (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > MOST_DRAINED_BYTES) req.pause();
  });
  req.once('end', () => res.end());
  req.once('error', () => socket.destroy());
}

/** What Nexus can't do now it mostly can a second later. */
const TRY_AGAIN_MS = 1_000;

/** Answers with an error of Nexus' own. */
export function replyError(exchange: Exchange, error: GatewayError): void {
  const headers: string[] = [];
  if (error.shouldRetry !== undefined) headers.push('x-should-retry', String(error.shouldRetry));
  if (error.status === 503) headers.push(...retryAfter(error.retryAfterMs ?? TRY_AGAIN_MS));
  if (error.status === 401) headers.push('www-authenticate', 'Bearer');
  const fields = { message: error.message, type: error.type, code: error.code };
  send(
    exchange,
    error.status,
    errorBody(exchange.dialect, error.status, fields, exchange.requestId),
    headers,
  );
}

/** Answers 429 with what a limit said. `limits` are the limit headers. */
export function replyRefusal(exchange: Exchange, refusal: RefusalReply, limits: readonly string[]): void {
  const headers = [...limits, 'x-nexus-limit', refusal.limit];
  if (refusal.shouldRetry !== undefined) headers.push('x-should-retry', String(refusal.shouldRetry));
  if (refusal.retryAfterMs !== undefined) headers.push(...retryAfter(withJitter(refusal.retryAfterMs)));
  send(exchange, 429, errorBody(exchange.dialect, 429, refusal, exchange.requestId), headers);
}

/** `retry-after` is whole seconds and never 0, which openai-node takes for "at once"; `retry-after-ms` is exact. */
function retryAfter(ms: number): string[] {
  return ['retry-after', String(Math.max(1, Math.ceil(ms / 1000))), 'retry-after-ms', String(ms)];
}

/** Up to 2 % later than the exact time, so that many refused at once don't all come back in the same millisecond. */
function withJitter(ms: number): number {
  return ms + Math.floor(Math.random() * ms * 0.02);
}

/** Ends an answer whose head is out in a way that no client takes for whole. */
export function breakOff(res: ServerResponse): void {
  res.socket?.destroy();
  res.destroy();
}
