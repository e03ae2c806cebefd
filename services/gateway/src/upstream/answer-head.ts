import type { AnswerFields } from '@nexus/http-client';
import type { Exchange } from '../path/exchange.ts';
import { isOverruled, limitHeaders } from '../reply/limit-headers.ts';
import { HOP_BY_HOP, namedByConnection } from './headers.ts';
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
export function noteHead(exchange: Exchange, status: number, fields: AnswerFields, nowMs: number): void {
  exchange.upstreamStatus = status;
  exchange.firstByteMs = nowMs - exchange.startedMs;
  exchange.upstreamRequestId = fields.get('x-request-id') ?? fields.get('request-id');
}

/** Never answered to the client: hop-by-hop, and the offer to call the upstream by another way (RFC 7838), past Nexus. */
const NOT_ANSWERED = new Set([...HOP_BY_HOP, 'alt-svc']);

/** What may be left out of an answer: its length, the request's ids, advice to try again, limits, and what only Nexus may say. */
const MAY_BE_LEFT_OUT =
  /^(?:content-length|x-request-id|request-id|x-should-retry|x-nexus-.*|x-ratelimit-.*|anthropic-ratelimit-.*)$/;

/** What becomes of a field of an answer on its way to the client. */
type Fate = 'pass' | 'drop' | 'perhaps';

const fates = new Map<string, Fate>();
const MOST_FATES_KEPT = 1_024;

/** The fate of a field by its name: an upstream repeats itself, so most names are looked at once. */
function fateOf(name: string): Fate {
  const known = fates.get(name);
  if (known !== undefined) return known;
  const fate = NOT_ANSWERED.has(name) ? 'drop' : MAY_BE_LEFT_OUT.test(name) ? 'perhaps' : 'pass';
  if (fates.size < MOST_FATES_KEPT) fates.set(name, fate);
  return fate;
}

/** The fields of an upstream's answer as a flat list, without those between two hops alone, and of those in question without what `without` names. */
export function fieldsAnswered(fields: AnswerFields, without: (lowerName: string) => boolean): string[] {
  const dropped = namedByConnection(fields.joined('connection'));
  const { list } = fields;
  const out: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] ?? '';
    const fate = fateOf(name);
    if (fate === 'drop' || (fate === 'perhaps' && without(name))) continue;
    if (dropped.size === 0 || !dropped.has(name)) out.push(name, list[i + 1] ?? '');
  }
  return out;
}

/**
 * The header fields of an upstream's answer as the client gets them: the upstream's own, the request ids, whose an error
 * is, and the limit headers of the client's key.
 * @param altered the body will not have the length that the upstream announced
 */
export function answerHeaders(
  exchange: Exchange,
  status: number,
  fields: AnswerFields,
  nowMs: number,
  options: { readonly altered: boolean },
): string[] {
  const { decision, dialect, clientNamedIt } = exchange;
  const limits = decision ? limitHeaders(decision.buckets, dialect, nowMs) : [];
  const without = (name: string) =>
    (options.altered && name === 'content-length') ||
    (clientNamedIt && (name === 'x-request-id' || name === 'request-id')) ||
    (name === 'x-should-retry' && !mayBeRetried(status)) ||
    name.startsWith('x-nexus-') ||
    isOverruled(name, limits);
  const out = fieldsAnswered(fields, without);
  const upstreamsOwn = clientNamedIt ? undefined : (fields.get('x-request-id') ?? fields.get('request-id'));
  const requestId = upstreamsOwn ?? exchange.requestId;
  if (clientNamedIt || fields.get('x-request-id') === undefined) out.push('x-request-id', requestId);
  if (clientNamedIt || fields.get('request-id') === undefined) out.push('request-id', requestId);
  if (status >= 400) out.push('x-nexus-source', 'upstream');
  if (exchange.attempt) out.push('x-nexus-upstream', exchange.attempt.upstream.name);
  for (const limit of limits) out.push(limit);
  return out;
}
