import { describe, expect, it } from 'vitest';
import { isWholeKey, newKey } from '../src/index.ts';

describe('a new key', () => {
  it('is nxs_ with 43 random digits and 6 that check them, never the same twice', () => {
    const keys = Array.from({ length: 2_000 }, newKey);
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^nxs_[0-9A-Za-z]{49}$/);
    for (const key of keys) expect(isWholeKey(key)).toBe(true);
    // Each of 62 digits is expected 1,387 times, give or take 37 (one standard deviation): 300 is beyond any chance.
    const counts = new Map<string, number>();
    for (const key of keys)
      for (const digit of key.slice(4, 47)) counts.set(digit, (counts.get(digit) ?? 0) + 1);
    expect(counts.size).toBe(62);
    for (const count of counts.values()) expect(Math.abs(count - 1_387)).toBeLessThan(300);
  });

  it('is told from one with a slip in it', () => {
    const key = newKey();
    for (let at = 4; at < key.length; at += 1) {
      const other = key[at] === 'x' ? 'y' : 'x';
      expect(isWholeKey(`${key.slice(0, at)}${other}${key.slice(at + 1)}`), `${at}`).toBe(false);
    }
    for (const text of [key.slice(1), `${key}0`, key.slice(0, -1), '', 'nxs_', key.toUpperCase()])
      expect(isWholeKey(text)).toBe(false);
  });
});
