import { describe, expect, it } from 'vitest';
import { readCommandLine } from '../src/command-line.ts';

const KNOWN = ['B1', 'B2', 'B7'];

describe('readCommandLine', () => {
  it('takes every figure unless some are named, in any case and order', () => {
    expect(readCommandLine([], KNOWN).ids).toEqual(KNOWN);
    expect(readCommandLine(['b7', 'B1', 'b1'], KNOWN).ids).toEqual(['B1', 'B7']);
  });

  it('reads the flags', () => {
    expect(readCommandLine(['--quick', '--strict'], KNOWN)).toMatchObject({
      quick: true,
      strict: true,
      noise: false,
      help: false,
    });
    expect(readCommandLine(['-h'], KNOWN).help).toBe(true);
    expect(readCommandLine([], KNOWN).connections).toBe(64);
    expect(readCommandLine(['B1', '--connections=16'], KNOWN)).toMatchObject({
      ids: ['B1'],
      connections: 16,
    });
  });

  it('refuses what it does not know, names of inherited properties too', () => {
    for (const arg of [
      'B6',
      '--fast',
      '--connections',
      '--connections=0',
      '--connections=1e3',
      'toString',
      '__proto__',
      '',
    ])
      expect(() => readCommandLine([arg], KNOWN)).toThrow(RangeError);
  });
});
