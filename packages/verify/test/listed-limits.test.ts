import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readListedLimits } from '../src/listed-limits.ts';
import { VerifyProblem } from '../src/problem.ts';
import { listedAt, perSecond, slots, told } from './listed.ts';

describe('what GET /nexus/limits says', () => {
  it('is read with owners that hold slashes, and the smallest ceiling', () => {
    const listed = listedAt(
      5,
      [
        told('model:meta/llama-3/requests_per_hour', {
          kind: 'rate',
          counts: 'requests',
          amount: 3,
          period_ms: 3_600_000,
        }),
        slots(4),
      ],
      [
        { limit: 'key:a/max_request_tokens', amount: 900 },
        { limit: 'gateway/max_request_tokens', amount: 800 },
        { limit: 'key:a/max_output_tokens', amount: 10 },
      ],
    );
    expect(listed).toMatchObject({ key: 'a', requestTokens: 800, sentMs: 5 });
    expect(listed.buckets).toMatchObject([
      { owner: 'model:meta/llama-3', limit: { name: 'requests_per_hour', burst: 3 }, available: 3 },
      { owner: 'key:a', limit: { kind: 'concurrency', slots: 4 } },
    ]);
    expect(listed.ceilings).toHaveLength(3);
  });

  it('loses characters that move a cursor', () => {
    const body = JSON.stringify({ key: '\u001b[2Jx', buckets: [perSecond(1, { limit: 'key:\u0007/x' })] });
    const { key, buckets } = readListedLimits(body, 0, 0);
    expect(key).toBe('?[2Jx');
    expect(buckets[0]?.owner).toBe('key:?');
  });

  it.each([
    ['no JSON', 'hello'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no key', '{"buckets":[]}'],
    ['buckets that are no list', '{"key":"a","buckets":{}}'],
    [
      'a bucket without its rate, as an older Nexus tells it',
      '{"key":"a","buckets":[{"limit":"key:a/x","size":1,"available":1,"used":0,"full_in_ms":0}]}',
    ],
    ['a period of 0', JSON.stringify({ key: 'a', buckets: [perSecond(1, { period_ms: 0 })] })],
    ['a negative size', JSON.stringify({ key: 'a', buckets: [perSecond(1, { size: -1 })] })],
    [
      'something else that is counted',
      JSON.stringify({ key: 'a', buckets: [perSecond(1, { counts: '__proto__' })] }),
    ],
  ])('is no answer of Nexus if it is %s', (_what, body) => {
    expect(() => readListedLimits(body, 0, 0)).toThrow(VerifyProblem);
  });

  it('of any shape is read or refused with a sentence, nothing else', () => {
    fc.assert(
      fc.property(fc.json(), (body) => {
        try {
          readListedLimits(body, 0, 0);
        } catch (error) {
          expect(error).toBeInstanceOf(VerifyProblem);
        }
      }),
    );
  });
});
