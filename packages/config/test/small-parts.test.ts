import { threadCpuMs } from '@nexus/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editDistance, isShowable, nearestName } from '../src/did-you-mean.ts';
import { modelMatcher } from '../src/model-pattern.ts';
import { parseDuration, parseSize, parseWhole } from '../src/quantity.ts';

describe('a model pattern', () => {
  it.each([
    ['gpt-4o', 'gpt-4o', true],
    ['gpt-4o', 'gpt-4o-mini', false],
    ['gpt-4o*', 'gpt-4o', true],
    ['gpt-4o*', 'gpt-4o-mini', true],
    ['gpt-4o*', 'my-gpt-4o', false],
    ['*-audio', 'gpt-audio', true],
    ['*', '', true],
    ['*', 'anything', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'axxbxxc', true],
    ['a*b*c', 'acb', false],
    ['a**b', 'ab', true],
    ['ab*bc', 'abc', false],
    ['*ab*', 'xxabxx', true],
    ['a.c', 'abc', false],
    ['GPT*', 'gpt', false],
  ])('%s against %s: %s', (pattern, model, expected) => {
    expect(modelMatcher(pattern)(model)).toBe(expected);
  });

  it('matches what the regular expression would', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', '*'), { maxLength: 8 }).map((parts) => parts.join(''));
    const names = fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(letters, names, (pattern, model) => {
        const expected = new RegExp(`^${pattern.replaceAll(/\*+/g, '.*')}$`).test(model);
        expect(modelMatcher(pattern)(model)).toBe(expected);
      }),
      { numRuns: 3_000 },
    );
  });

  it('of many stars against a long name takes no time', () => {
    const began = threadCpuMs();
    expect(modelMatcher(`${'a*'.repeat(60)}b`)('a'.repeat(100_000))).toBe(false);
    expect(threadCpuMs() - began).toBeLessThan(100);
  });
});

describe('quantities', () => {
  it('read durations and sizes of whole milliseconds and bytes', () => {
    expect(['250ms', '10s', '5m', '2h', '400d', '1.5s', '1.1s'].map(parseDuration)).toEqual([
      250, 10_000, 300_000, 7_200_000, 34_560_000_000, 1_500, 1_100,
    ]);
    expect(['1B', '512KB', '10mb', '1GB', '1.5KB'].map(parseSize)).toEqual([
      1,
      524_288,
      10_485_760,
      2 ** 30,
      1_536,
    ]);
  });

  it.each(['', '10', 's', '1e3s', '-1s', '10 s', '0.5ms', '1.s', '.5s', '10S', '1_0s', '999999999999999d'])(
    '%o is no duration',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it.each(['', '10', '10KiB', '0.1B', '10 MB', '999999999999999GB'])('%o is no size', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  it('read whole numbers from numbers and plain digits alone', () => {
    expect([0, 5, '0', '10', '007'].map(parseWhole)).toEqual([0, 5, 0, 10, 7]);
    for (const bad of [
      -1,
      0.5,
      Number.NaN,
      1e99,
      '',
      ' 1',
      '1e3',
      '0x1',
      '-1',
      '1.0',
      '99999999999999999',
      null,
      true,
      [],
      {},
      5n,
    ]) {
      expect(parseWhole(bad), String(bad)).toBeUndefined();
    }
  });
});

describe('did you mean', () => {
  it('counts edits and swaps', () => {
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('burst', 'brust')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('same', 'same')).toBe(0);
  });

  it('finds the nearest name within two edits, one for short names', () => {
    const known = ['key', 'limits', 'listen_port', 'target_url'];
    expect(nearestName('limts', known)).toBe('limits');
    expect(nearestName('listenPort', known)).toBe('listen_port');
    expect(nearestName('kye', known)).toBe('key');
    expect(nearestName('kxx', known)).toBeUndefined();
    expect(nearestName('x'.repeat(100_000), known)).toBeUndefined();
  });

  it('shows only names made like a setting’s', () => {
    expect(['teams', 'redis_url', 'on_redis_failure'].every(isShowable)).toBe(true);
    expect(['sk-abc', 'AKIA', 'a1', '', 'abcdefghijklmnopqrstuvwxyz', 'a b'].some(isShowable)).toBe(false);
  });
});
