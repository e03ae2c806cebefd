import type { RequestLine } from '../src/request-line.ts';

/** A line with every field that there is. */
export const FULL_LINE: Required<RequestLine> = {
  message: 'request completed',
  requestId: 'req_7f3a',
  keyId: 'search-prod',
  team: 'search',
  customer: 'acme',
  feature: 'autocomplete',
  client: '192.0.2.7',
  method: 'POST',
  path: '/v1/chat/completions?timeout=3',
  model: 'gpt-4o-mini',
  stream: true,
  status: 200,
  upstreamStatus: 200,
  upstreamRequestId: 'req_up_1',
  decision: 'admitted',
  degraded: false,
  shadow: 'team:search/requests_per_day',
  limit: 'key:search-prod/requests_per_second',
  limitSize: 20,
  used: 19,
  requested: 2,
  retryAfterMs: 83,
  errorCode: 'rate_limit_exceeded',
  error: new Error('broken'),
  estimate: { inputTokens: 812, outputTokens: 256 },
  usage: {
    inputTokens: 812,
    outputTokens: 143,
    cachedInputTokens: 12,
    reasoningTokens: 40,
    source: 'reported',
  },
  costUsd: '0.000123',
  durationMs: 1834.123_456,
  firstByteMs: 312.987,
  limiterMs: 0.118,
  waitedMs: 250.5,
  upstreamMs: 1830.114,
  bytesIn: 3211,
  bytesOut: 9876,
};

/** A line of an admitted request with nothing but what must be there. */
export const SMALL_LINE: RequestLine = {
  message: 'request completed',
  requestId: 'req_1',
  method: 'GET',
  path: '/v1/models',
  stream: false,
  status: 200,
  decision: 'admitted',
  durationMs: 5,
  bytesIn: 0,
  bytesOut: 10,
};

export const DENIED_LINE: RequestLine = {
  ...SMALL_LINE,
  message: 'request denied',
  keyId: 'search-prod',
  status: 429,
  decision: 'denied',
  limit: 'key:search-prod/requests_per_second',
};
