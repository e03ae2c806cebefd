import type { Answer } from './answer.ts';
import { ORGANIZATION } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { anthropicLimitHeaders, openaiLimitHeaders, type Verdict } from './limits.ts';

/** Writes the status and the headers that the real APIs send. Without `length`, the body goes in chunks. */
export function writeHead(
  exchange: Exchange,
  answer: Answer,
  length?: number,
  more: readonly string[] = [],
): void {
  const whole = answer.kind === 'whole';
  const headers = ['content-type', whole ? answer.contentType : 'text/event-stream; charset=utf-8'];
  if (length !== undefined) headers.push('content-length', `${length}`);
  if (!whole) headers.push('cache-control', 'no-cache');
  addApiHeaders(exchange, (whole ? answer.verdict : undefined) ?? exchange.verdict, headers);
  if (whole && answer.headers !== undefined) headers.push(...answer.headers);
  if (more.length > 0) headers.push(...more);
  exchange.res.writeHead(whole ? answer.status : 200, headers);
}

function addApiHeaders(
  { api, requestId, house, startedAtMs }: Exchange,
  verdict: Verdict | undefined,
  headers: string[],
): void {
  if (api === 'anthropic') {
    headers.push('request-id', requestId, 'anthropic-organization-id', ORGANIZATION);
    if (verdict !== undefined) headers.push(...anthropicLimitHeaders(verdict, house.settings.nowMs()));
    return;
  }
  headers.push(
    'x-request-id',
    requestId,
    'openai-organization',
    ORGANIZATION,
    'openai-processing-ms',
    `${Math.max(1, Date.now() - startedAtMs)}`,
    'openai-version',
    '2020-10-01',
    'x-content-type-options',
    'nosniff',
    'strict-transport-security',
    'max-age=31536000; includeSubDomains; preload',
  );
  if (verdict !== undefined) headers.push(...openaiLimitHeaders(verdict, api === 'azure'));
  if (api === 'azure') headers.push('apim-request-id', requestId, 'x-ms-region', 'Simulated');
}
