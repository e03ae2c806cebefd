import type { ToldRefusal } from '../call.ts';
import { isRecord } from '../record.ts';

/** The headers of an answer by their lower-case names; a repeated one is a list. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

const TYPES = new Set(['requests', 'tokens', 'insufficient_quota']);
const CODES = new Set(['rate_limit_exceeded', 'insufficient_quota']);

/**
 * Reads a 429 of Nexus and says what of it an SDK would not understand: the shape of the body is OpenAI's (API reference,
 * "Error codes"), `retry-after` whole seconds from 1 that cover `retry-after-ms`, `x-nexus-limit` one of the key's limits.
 */
export function readRefusal(headers: AnswerHeaders, body: string, known: ReadonlySet<string>): ToldRefusal {
  const problems: string[] = [];
  const error = errorIn(body);
  if (!/^application\/json\b/i.test(one(headers, 'content-type') ?? ''))
    problems.push('its content-type is not application/json');
  if (error === undefined) problems.push('its body has no `error` object with a message, a type and a code');
  else {
    if (!TYPES.has(error.type)) problems.push(`its error.type is ${quoted(error.type)}`);
    if (!CODES.has(error.code)) problems.push(`its error.code is ${quoted(error.code)}`);
  }
  const limit = one(headers, 'x-nexus-limit');
  if (limit === undefined) problems.push('it has no x-nexus-limit');
  else if (!known.has(limit)) problems.push(`its x-nexus-limit names no limit of this key: ${quoted(limit)}`);
  const retryAfterMs = retryAfter(headers, problems);
  return { limit, retryAfterMs, problems };
}

function retryAfter(headers: AnswerHeaders, problems: string[]): number | undefined {
  const seconds = one(headers, 'retry-after');
  const exact = one(headers, 'retry-after-ms');
  if (seconds === undefined && exact === undefined) {
    // A wait that helps nobody is not told, and then the SDKs must be told not to try again.
    if (one(headers, 'x-should-retry') !== 'false')
      problems.push('it has neither retry-after nor x-should-retry: false');
    return undefined;
  }
  const ms = /^\d{1,12}$/.test(exact ?? '') ? Number(exact) : undefined;
  if (ms === undefined) problems.push('its retry-after-ms is not a whole number');
  if (!/^[1-9]\d{0,9}$/.test(seconds ?? '')) problems.push('its retry-after is not a whole number from 1');
  else if (ms !== undefined && Number(seconds) !== Math.max(1, Math.ceil(ms / 1000)))
    problems.push(`its retry-after is ${seconds}, but its retry-after-ms ${ms}`);
  return ms;
}

function one(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

function errorIn(body: string): { message: string; type: string; code: string } | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!isRecord(parsed) || !isRecord(parsed.error)) return undefined;
  const { message, type, code } = parsed.error;
  if (typeof message !== 'string' || typeof type !== 'string' || typeof code !== 'string') return undefined;
  return { message, type, code };
}

/** Foreign text as it may be shown: short, and without characters that move a terminal's cursor. */
function quoted(text: string): string {
  return `"${text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?')}"`;
}
