import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLog } from '../src/index.ts';
import { floodReason, type RequestLine, requestLevel, requestLineJson } from '../src/request-line.ts';
import { DENIED_LINE, FULL_LINE, SMALL_LINE } from './request-sample.ts';

const page = readFileSync(new URL('../../../docs/logs.md', import.meta.url), 'utf8');

function written(line: RequestLine, suppressed = 0): Record<string, unknown> {
  const text = requestLineJson(line, 'info', 1_700_000_000_000, suppressed);
  expect(text.indexOf('\n')).toBe(text.length - 1);
  return JSON.parse(text);
}

describe('the line of a request', () => {
  it('has the fields of docs/logs.md, all of them, in its order', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` +\| (yes)? *\| /gm)];
    expect(Object.keys(written(FULL_LINE, 3))).toEqual(rows.map((row) => row[1]));
    const always = rows.filter((row) => row[2] === 'yes').map((row) => row[1]);
    expect(Object.keys(written(SMALL_LINE))).toEqual(always);
  });

  it('says what it was told, times to a hundredth of a millisecond', () => {
    expect(written({ ...FULL_LINE, error: undefined }, 3)).toEqual({
      time: '2023-11-14T22:13:20.000Z',
      level: 'info',
      message: 'request completed',
      request_id: 'req_7f3a',
      key_id: 'search-prod',
      team: 'search',
      customer: 'acme',
      customer_tier: 'pro',
      feature: 'autocomplete',
      client: '192.0.2.7',
      method: 'POST',
      path: '/v1/chat/completions',
      model: 'gpt-4o-mini',
      stream: true,
      status: 200,
      upstream: 'openai',
      attempts: 2,
      upstream_status: 200,
      upstream_request_id: 'req_up_1',
      decision: 'admitted',
      degraded: false,
      shadow: 'team:search/requests_per_day',
      limit: 'key:search-prod/requests_per_second',
      limit_size: 20,
      used: 19,
      requested: 2,
      retry_after_ms: 83,
      error_code: 'rate_limit_exceeded',
      estimated_input_tokens: 812,
      estimated_output_tokens: 256,
      input_tokens: 812,
      output_tokens: 143,
      cached_input_tokens: 12,
      reasoning_tokens: 40,
      usage_source: 'reported',
      cost_usd: '0.000123',
      duration_ms: 1834.12,
      first_byte_ms: 312.99,
      limiter_ms: 0.12,
      waited_ms: 250.5,
      upstream_ms: 1830.11,
      bytes_in: 3211,
      bytes_out: 9876,
      suppressed: 3,
    });
  });

  it('has the sentences of docs/logs.md, and their levels', () => {
    const sentences = [...page.matchAll(/^\| `(request \w+|client \w+)` +\|/gm)];
    expect(sentences.map((row) => row[1])).toEqual([
      'request completed',
      'request denied',
      'request failed',
      'client left',
    ]);
    expect(requestLevel(SMALL_LINE)).toBe('info');
    expect(requestLevel(DENIED_LINE)).toBe('info');
    expect(requestLevel({ ...SMALL_LINE, message: 'request failed', status: 401 })).toBe('info');
    expect(requestLevel({ ...SMALL_LINE, degraded: true })).toBe('warn');
    expect(requestLevel({ ...SMALL_LINE, status: 500, degraded: true })).toBe('error');
    expect(requestLevel({ ...SMALL_LINE, status: 503 })).toBe('error');
    expect(requestLevel({ ...SMALL_LINE, message: 'client left', status: 500 })).toBe('info');
  });

  it('writes times as the numbers that they are, to a hundredth', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.double({ min: 0, max: 1e5 }), fc.nat()), (durationMs) => {
        const rounded = Math.round(durationMs * 100) / 100;
        const text = requestLineJson({ ...SMALL_LINE, durationMs }, 'info', 0, 0);
        expect(text).toContain(`"duration_ms":${Number.isFinite(rounded) ? `${rounded}` : 'null'},`);
      }),
    );
  });

  it('says the same of a text again, each field in its own way, however many others came between', () => {
    const text = 'key: search-prod/sk-0123456789?token=abc';
    const line = { ...SMALL_LINE, path: text, model: text, keyId: text, limit: text, client: text };
    const first = written(line);
    expect(first).toMatchObject({
      path: 'key: [redacted]',
      model: 'key: [redacted]',
      client: 'key: [redacted]',
      key_id: 'key: search-prod/[redacted]?token=abc',
    });
    for (let index = 0; index < 600; index += 1) {
      const name = `${text}-${index}`;
      expect(written({ ...line, path: `/v1/${index}`, model: `m-${index}`, keyId: name })).toMatchObject({
        path: `/v1/${index}`,
        model: `m-${index}`,
        limit: first.limit,
      });
    }
    expect(written(line)).toEqual(first);
  });

  it('never waits for an answer that can never come', () => {
    expect(written({ ...DENIED_LINE, retryAfterMs: 'never' })).toMatchObject({ retry_after_ms: 'never' });
  });

  it('is one line of well-formed JSON whatever the texts hold', () => {
    const hostile = 'a"\\\n\r\0\x1b[31m\x7f\x85\u2028\u2029\u202e\ud800\ufeff😀","level":"error';
    const text = requestLineJson(
      {
        ...SMALL_LINE,
        requestId: hostile,
        keyId: hostile,
        client: hostile,
        method: hostile,
        path: hostile,
        model: hostile,
        upstreamRequestId: hostile,
        limit: hostile,
        errorCode: hostile,
        error: new Error(hostile),
      },
      'info',
      0,
      0,
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text.slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e\ufeff]/);
    const line = JSON.parse(text);
    expect(line).toMatchObject({
      level: 'info',
      model: hostile,
      key_id: hostile,
      error: { message: hostile },
    });
    expect(line.path).toBe(
      'a"\\\ufffd\ufffd\ufffd\ufffd[31m\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd😀","level":"error',
    );
  });

  it('is bounded whatever the lengths, and shows no half of a credential at a cut', () => {
    for (let length = 200; length < 560; length += 7) {
      const path = `/${'x'.repeat(length)}/sk-proj-SECRETSECRETSECRETSECRETSECRETSECRET/${'y'.repeat(2e6)}`;
      const text = requestLineJson({ ...SMALL_LINE, path, model: path, requestId: path }, 'info', 0, 0);
      expect(text.length).toBeLessThan(1_200);
      expect(text).not.toMatch(/SECRE|sk-/);
    }
    for (const keys of [10, 15, 17, 18, 19, 20, 40]) {
      const path = '/sk-SECRETSECRETSECRETSECRET'.repeat(keys);
      expect(requestLineJson({ ...SMALL_LINE, path }, 'info', 0, 0)).not.toMatch(/SECRE/);
    }
  });

  it('leaves the query and the fragment out', () => {
    expect(written({ ...SMALL_LINE, path: '/v1/models?key=abc#x' }).path).toBe('/v1/models');
    expect(written({ ...SMALL_LINE, path: '/v1/models#?x' }).path).toBe('/v1/models');
    expect(written({ ...SMALL_LINE, path: 'http://me:hunter2@host/v1' }).path).toBe(
      'http://[redacted]@host/v1',
    );
  });

  it('writes null for numbers that JSON has not, and the start of 1970 for times that no calendar has', () => {
    const line = { ...SMALL_LINE, durationMs: Number.NaN, bytesIn: Number.POSITIVE_INFINITY };
    expect(written(line)).toMatchObject({ duration_ms: null, bytes_in: null });
    expect(JSON.parse(requestLineJson(line, 'info', Number.NaN, 0)).time).toBe('1970-01-01T00:00:00.000Z');
    expect(JSON.parse(requestLineJson(line, 'info', 1e300, 0)).time).toBe('1970-01-01T00:00:00.000Z');
  });

  it('has a stack from status 500 on, and only there', () => {
    const error = new Error('broken');
    expect(written({ ...SMALL_LINE, status: 404, error }).error).toEqual({
      class: 'Error',
      message: 'broken',
    });
    expect(written({ ...SMALL_LINE, status: 500, error }).error).toMatchObject({
      stack: expect.stringContaining('request-line.test.ts'),
    });
  });

  it('never throws, and says which line it could not make', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'info', write: (line) => lines.push(line) });
    log.request({
      ...SMALL_LINE,
      get path(): string {
        throw new Error('no path');
      },
    });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'error',
      message: 'log line could not be made',
      error: { message: 'no path' },
    });
  });
});

describe('the reason under which a line counts as one of a flood', () => {
  it('is the limit, the error code or the status of what was not admitted or ended in a 4xx', () => {
    expect(floodReason(DENIED_LINE)).toBe('key:search-prod/requests_per_second');
    const failed: RequestLine = { ...SMALL_LINE, message: 'request failed', decision: 'none' };
    expect(floodReason({ ...failed, status: 401, errorCode: 'invalid_api_key' })).toBe('invalid_api_key');
    expect(floodReason({ ...failed, status: 503, errorCode: 'draining' })).toBe('draining');
    expect(floodReason({ ...SMALL_LINE, status: 404 })).toBe('status_404');
  });

  it('is none for what was admitted and cost something', () => {
    expect(floodReason(SMALL_LINE)).toBeUndefined();
    expect(floodReason({ ...SMALL_LINE, message: 'request failed', status: 502 })).toBeUndefined();
    expect(floodReason({ ...SMALL_LINE, message: 'client left', status: 499 })).toBeUndefined();
    expect(floodReason({ ...SMALL_LINE, decision: 'none' })).toBeUndefined();
  });
});
