import type { LedgerEntry } from '@nexus/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryText, readEntry } from '../src/index.ts';
import { entry } from './entries.ts';

const count = fc.maxSafeNat();
const text = fc.string({ unit: 'binary', maxLength: 40 }).map((one) => one.toWellFormed());
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const anyEntry: fc.Arbitrary<LedgerEntry> = fc.record({
  id: text,
  requestId: text,
  startedMs: count,
  endedMs: count,
  tenant: text,
  team: maybe(text),
  keyId: text,
  customer: maybe(text),
  feature: maybe(text),
  model: maybe(text),
  upstream: maybe(text),
  status: fc.integer({ min: 100, max: 599 }),
  ending: fc.constantFrom('whole', 'client left', 'upstream broke'),
  isCharged: fc.boolean(),
  usage: fc.record({
    inputTokens: count,
    outputTokens: count,
    cachedInputTokens: count,
    reasoningTokens: count,
    source: fc.constantFrom('reported', 'counted', 'estimated', 'none'),
    inputParts: maybe(
      fc.record({
        cacheWriteTokens: count,
        cacheWrite1hTokens: count,
        audioTokens: count,
        cachedAudioTokens: count,
        imageTokens: count,
        cachedImageTokens: count,
      }),
    ),
    outputParts: maybe(fc.record({ audioTokens: count, imageTokens: count, webSearches: count })),
  }),
  costNanoUsd: maybe(count),
});

describe('a record as text', () => {
  it('is the same record again when it is read', () => {
    fc.assert(
      fc.property(anyEntry, (one) => {
        expect(readEntry(entryText(one))).toEqual(one);
      }),
      { numRuns: 300 },
    );
  });

  it('is short: an ordinary one has less than 300 characters', () => {
    expect(entryText(entry()).length).toBeLessThan(300);
  });

  it('of another form, or none, is no record', () => {
    const values: unknown[] = JSON.parse(entryText(entry()));
    for (const index of values.keys()) {
      // What is optional may be missing.
      if ([6, 8, 9, 10, 11, 16, 18, 19].includes(index)) continue;
      if (index === 14) continue;
      expect(readEntry(JSON.stringify(values.with(index, -1))), `${index}`).toBeUndefined();
    }
    for (const none of ['', '{}', 'null', '[]', '[1]', '[2]', '{"0":1}', '[1,"a"', '\ud800'])
      expect(readEntry(none)).toBeUndefined();
  });
});
