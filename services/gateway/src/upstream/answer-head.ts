import type { IncomingHttpHeaders, OutgoingHttpHeader } from 'node:http';
import type { Exchange } from '../path/exchange.ts';
import { isOverruled, limitHeaders } from '../reply/limit-headers.ts';
import { headersAnswered } from './headers.ts';
import { ownKey } from './key-redaction.ts';

/** A reason phrase is for people; one that isn't plain text is left out (RFC 9112 §4: clients ignore it). */
export function plainReason(reason: string | undefined): string {
  return reason === undefined || /[^\t\x20-\x7e]/.test(reason) ? '' : reason;
}

/** Statuses after which trying again can help: on any other, `x-should-retry: true` would make every SDK repeat a mistake. */
function mayBeRetried(status: number): boolean {
  return status >= 500 || status === 408 || status === 409 || status === 429;
}

/** A status that an answer can have: three digits, final (RFC 9110 §15). */
export function isFinalStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599;
}

/** Whether the upstream refuses the gateway's own key: the client has no part in that, and must not see its words. */
export function refusesOwnKey(exchange: Exchange, status: number): boolean {
  return (status === 401 || status === 403) && ownKey(exchange) !== undefined;
}

/** Notes for the record that an answer has begun. */
export function noteHead(
  exchange: Exchange,
  status: number,
  headers: IncomingHttpHeaders,
  nowMs: number,
): void {
  exchange.upstreamStatus = status;
  exchange.firstByteMs = nowMs - exchange.startedMs;
  const id = headers['x-request-id'] ?? headers['request-id'];
  if (typeof id === 'string') exchange.upstreamRequestId = id;
}

/** What may be left out of an answer: its length, the request's ids, advice to try again, limits, and what only Nexus may say. */
const MAY_BE_LEFT_OUT =
  /^(?:content-length|x-request-id|request-id|x-should-retry|x-nexus-.*|x-ratelimit-.*|anthropic-ratelimit-.*)$/;

const plainNames = new Map<string, boolean>();
const MOST_NAMES_KEPT = 1_024;

/** Whether a field always passes: an upstream repeats itself, so most names are looked up once (worth 2 µs an answer). */
function alwaysPasses(name: string): boolean {
  const known = plainNames.get(name);
  if (known !== undefined) return known;
  const passes = !MAY_BE_LEFT_OUT.test(name);
  if (plainNames.size < MOST_NAMES_KEPT) plainNames.set(name, passes);
  return passes;
}

/**
 * The header fields of an upstream's answer as the client gets them: the upstream's own, the request ids, whose an error
 * is, and the limit headers of the client's key.
 * @param altered the body will not have the length that the upstream announced
 */
export function answerHeaders(
  exchange: Exchange,
  status: number,
  headers: IncomingHttpHeaders,
  nowMs: number,
  options: { readonly altered: boolean },
): OutgoingHttpHeader[] {
  const { decision, dialect, clientNamedIt } = exchange;
  const limits = decision ? limitHeaders(decision.buckets, dialect, nowMs) : [];
  const without = (name: string) => !alwaysPasses(name) && isLeftOut(name);
  const isLeftOut = (name: string) =>
    (options.altered && name === 'content-length') ||
    (clientNamedIt && (name === 'x-request-id' || name === 'request-id')) ||
    (name === 'x-should-retry' && !mayBeRetried(status)) ||
    name.startsWith('x-nexus-') ||
    isOverruled(name, limits);
  const out = headersAnswered(headers, without);
  const upstreamsOwn = clientNamedIt ? undefined : (headers['x-request-id'] ?? headers['request-id']);
  const requestId = upstreamsOwn ?? exchange.requestId;
  if (clientNamedIt || headers['x-request-id'] === undefined) out.push('x-request-id', requestId);
  if (clientNamedIt || headers['request-id'] === undefined) out.push('request-id', requestId);
  if (status >= 400) out.push('x-nexus-source', 'upstream');
  if (exchange.attempt) out.push('x-nexus-upstream', exchange.attempt.upstream.name);
  for (const limit of limits) out.push(limit);
  return out;
}
