import { threadCpuMs } from '@nexus/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact, redactWithin } from '../src/redact.ts';

/** Each text with a secret in it that is made of the letters of CANARY. */
const LEAKS: readonly string[] = [
  'sk-CANARYCANARY',
  'sk-proj-CANARY_CANARY-CANARY1',
  'sk-ant-api03-CANARY',
  'upstream said: "sk-CANARY".',
  String.raw`{\n\"note\":\"x\nsk-CANARY0123456789CANARY\"}`,
  'SK-CANARYCANARY',
  'refused nxs_CANARYCANARY here',
  'Bearer CANARY',
  'bearer   CANARY.CANARY-CANARY',
  'BEARER\tCANARY',
  'Bearer%20CANARY',
  'Basic Q0FOQVJZ:CANARY',
  'Authorization: Bearer CANARY',
  "{ authorization: 'Bearer CANARY', host: 'x' }",
  'authorization: Digest username="x", response="CANARY"',
  '"authorization":"Custom one CANARY"',
  'proxy-authorization=CANARY',
  'x-api-key: CANARY',
  'X-Api-Key:CANARY',
  '"api-key": "CANARY CANARY"',
  "'x-goog-api-key': 'CANARY'",
  String.raw`{\"api_key\":\"CANARY\"}`,
  'apiKey=CANARY&x=1',
  '/v1/models?key=CANARY',
  'upstreamKey: CANARY',
  'access_token=CANARY',
  'client_secret = CANARY',
  'password: p(CANARY),CANARY',
  'password="p\\"CANARY"',
  'password="CANARY CANARY',
  'redis://default:CANARY@redis:6379/0',
  'redis://:CANARY@redis:6379',
  'redis://default:x/CANARY@redis:6379/0',
  'https://CANARY@host/',
  'connect to http://user:1CANARY@127.0.0.1:80/x failed',
  'cookie: a=b; session=CANARY',
  'Set-Cookie: CANARY=1; Path=/',
  'Incorrect API key provided: CANARY. You can find your API key at https://x.',
  'invalid token 0123456789CANARY0123456789',
  'the key was "0123456789CANARYCANARY"',
  'eyJhbGciOiJ.CANARY.CANARY',
  'ghp_CANARYCANARYCANARY',
  'gsk_CANARYCANARY xai-CANARYCANARY hf_CANARYCANARY',
  'AIzaSyCANARYCANARYCANARYCANARY',
  'AKIACANARYCANARYCANA',
  '-----BEGIN PRIVATE KEY-----\nCANARY\nCANARY\n-----END PRIVATE KEY-----',
  '-----BEGIN EC PRIVATE KEY-----\nCANARY\nCANARY',
  'Headers.append: "CANARY" is an invalid header value.',
];

const HARMLESS: readonly string[] = [
  '/v1/chat/completions',
  '/openai/deployments/gpt-4o/chat/completions',
  'gpt-4o-mini',
  "Cannot read properties of undefined (reading 'key')",
  'connect ECONNREFUSED 127.0.0.1:6379',
  'getaddrinfo ENOTFOUND api.openai.com',
  'Unexpected token } in JSON at position 4',
  'request to https://api.openai.com/v1/models failed',
  'http://127.0.0.1:8080/v1/@scope',
  'reserved 812 input tokens and 256 output tokens',
  'TypeError: x is not a function\n    at run (file:///srv/nexus/node_modules/.pnpm/undici@8.1.0/node_modules/undici/lib/a.js:12:34)\n    at node:internal/process/task_queues:105:5',
];

describe('redact', () => {
  it.each(LEAKS)('takes the secret out of %j', (text) => {
    expect(redact(text)).toContain('[redacted]');
    expect(redact(text)).not.toMatch(/CANA/i);
    expect(redact(`before ${text} after`)).not.toMatch(/CANA/i);
    expect(redact(`${text}\n${text}`)).not.toMatch(/CANA/i);
  });

  it.each(HARMLESS)('leaves %j as it is', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('takes out the pieces of bodies that JSON.parse quotes', () => {
    for (const body of [
      'CANARY',
      '{"prompt": "CANARY" oops}',
      '{"a":1}CANARY',
      `{"x":"${'y'.repeat(500)}CANARY"CANARY}`,
      '{"CANARY\n":"a"b"c"}',
    ]) {
      let message = '';
      try {
        JSON.parse(body);
      } catch (error) {
        message = String(error);
      }
      expect(message).toMatch(/JSON/);
      expect(redact(message)).not.toMatch(/CAN|NARY/);
    }
  });

  it('needs time in proportion to the length of hostile texts', () => {
    const pieces = [
      'a',
      'sk-',
      '://',
      '://a:',
      'key ',
      'key"',
      'key="',
      '"',
      'authorization    ',
      'eyJ',
      'is ',
    ];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...pieces, '\\', "'", ' '), { minLength: 1, maxLength: 4 }),
        (some) => {
          const text = some.join('').repeat(20_000 / some.join('').length);
          const startMs = threadCpuMs();
          redact(`${text} secret is not valid JSON`);
          // Quadratic patterns need seconds for this length.
          expect(threadCpuMs() - startMs).toBeLessThan(250);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('redactWithin', () => {
  it('shows no half of a secret at the place where it cuts, and says how much is missing', () => {
    const text = `${'word '.repeat(10)}redis://user:CANARYCANARYCANARY@host and more`;
    for (let length = 0; length <= text.length; length++) {
      const clean = redactWithin(text, length);
      expect(clean).not.toMatch(/CAN/);
      if (length < text.length) expect(clean).toMatch(/… \(\d+ more characters\)$/);
    }
    expect(redactWithin('x'.repeat(1_000_000), 2_000)).toBe('… (1000000 more characters)');
  });
});
