import { AnswerFields } from '@nexus/http-client';
import { describe, expect, it } from 'vitest';
import { restMs } from '../../src/upstream/retry-after.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);

describe('How long a key rests after a 429', () => {
  it.each([
    [{}, 5_000],
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '7', 'retry-after-ms': '250.5' }, 250.5],
    [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:09 GMT' }, 9_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': '86400' }, 60_000],
    [{ 'retry-after-ms': '9'.repeat(400) }, 60_000],
    [{ 'retry-after': '-1' }, 5_000],
    [{ 'retry-after': 'soon' }, 5_000],
    [{ 'retry-after': 'NaN', 'retry-after-ms': 'Infinity' }, 5_000],
  ])('%j is %d ms', (headers, expected) => {
    expect(restMs(AnswerFields.of(Object.entries(headers).flat()), NOW_MS)).toBe(expected);
  });
});
