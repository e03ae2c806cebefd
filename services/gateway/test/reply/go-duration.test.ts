import { describe, expect, it } from 'vitest';
import { goDuration } from '../../src/reply/go-duration.ts';

describe('a duration as OpenAI writes it', () => {
  it.each([
    [0, '0s'],
    [9, '9ms'],
    [84, '84ms'],
    [1000, '1s'],
    [1146, '1.146s'],
    [8640, '8.64s'],
    [11_054, '11.054s'],
    [360_000, '6m0s'],
    [432_000, '7m12s'],
    [1_728_000, '28m48s'],
    [3_723_000, '1h2m3s'],
    [86_400_000, '24h0m0s'],
  ])('%d ms is %s', (ms, text) => {
    expect(goDuration(ms)).toBe(text);
  });

  it('rounds up, so that nobody comes back too early, and never goes below zero', () => {
    expect(goDuration(83.2)).toBe('84ms');
    expect(goDuration(-5)).toBe('0s');
  });
});
