import { describe, expect, it } from 'vitest';
import { readRefusal } from '../src/judge/refusal.ts';

const LIMIT = 'key:a/requests_per_second';
const KNOWN = new Set([LIMIT]);
const HEADERS = {
  'content-type': 'application/json',
  'x-nexus-limit': LIMIT,
  'retry-after': '1',
  'retry-after-ms': '97',
};
const BODY = JSON.stringify({
  error: { message: 'Rate limit reached', type: 'requests', param: null, code: 'rate_limit_exceeded' },
});

const problems = (headers: Record<string, string | undefined> = {}, body = BODY) =>
  readRefusal({ ...HEADERS, ...headers }, body, KNOWN).problems;

describe('a refusal', () => {
  it('is right as Nexus gives it', () => {
    expect(readRefusal(HEADERS, BODY, KNOWN)).toEqual({ limit: LIMIT, retryAfterMs: 97, problems: [] });
  });

  it('of a quota tells no wait, but that trying again is no use', () => {
    const quota = BODY.replace('requests', 'insufficient_quota').replace(
      'rate_limit_exceeded',
      'insufficient_quota',
    );
    const none = { 'retry-after': undefined, 'retry-after-ms': undefined };
    expect(problems({ ...none, 'x-should-retry': 'false' }, quota)).toEqual([]);
    expect(problems(none, quota)).toEqual(['it has neither retry-after nor x-should-retry: false']);
  });

  it.each([
    ['the text of a proxy', {}, 'Too Many Requests', /no `error` object/],
    ['an error that is a text, which crashes openai-python 0.28', {}, '{"error":"no"}', /no `error` object/],
    ['a list', {}, '[{"error":{}}]', /no `error` object/],
    [
      'a type that no SDK knows',
      {},
      BODY.replace('"requests"', '"rate_limit_error"'),
      /error\.type is "rate_limit_error"/,
    ],
    ['another code', {}, BODY.replace('rate_limit_exceeded', 'slow'), /error\.code is "slow"/],
    ['plain text', { 'content-type': 'text/plain' }, BODY, /content-type/],
    ['no limit', { 'x-nexus-limit': undefined }, BODY, /no x-nexus-limit/],
    ["another key's limit", { 'x-nexus-limit': 'key:b/x' }, BODY, /names no limit of this key: "key:b\/x"/],
    ['a limit with control characters', { 'x-nexus-limit': '\u001b[2J' }, BODY, /"\?\[2J"/],
    ['a wait of 0 seconds', { 'retry-after': '0' }, BODY, /not a whole number from 1/],
    ['a fraction of a second', { 'retry-after': '0.1' }, BODY, /not a whole number from 1/],
    ['a date', { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }, BODY, /not a whole number from 1/],
    ['no exact wait', { 'retry-after-ms': undefined }, BODY, /retry-after-ms is not a whole number/],
    [
      'seconds that end before the wait does',
      { 'retry-after-ms': '1001' },
      BODY,
      /is 1, but its retry-after-ms 1001/,
    ],
  ])('with %s is a problem', (_what, headers, body, problem) => {
    expect(problems(headers, body).join()).toMatch(problem);
  });
});
