import type { SizeLimit } from '@nexus/domain';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type OutputExpectation, outputToReserve, sizeRefusal } from '../src/index.ts';
import { calendar, MINUTE_MS, owner, rate, slots } from './limit-shapes.ts';

const large = owner(
  'gateway',
  rate('model_tokens', 1_000_000, MINUTE_MS),
  slots(9),
  rate('requests', 3, MINUTE_MS),
);
const small = owner('key:a', rate('model_tokens', 500, MINUTE_MS), calendar('model_tokens', 9_000));

function reserve(changes: Partial<OutputExpectation>): number {
  const call = {
    policy: 'learned',
    statedOutputTokens: undefined,
    choices: 1,
    learnedTokens: 800,
    inputTokens: 100,
    owners: [large],
  } as const;
  return outputToReserve({ ...call, ...changes });
}

describe('the output that is held', () => {
  it('is what was learned, for every choice, or what the call states if that is less', () => {
    expect(reserve({})).toBe(800);
    expect(reserve({ choices: 3 })).toBe(2_400);
    expect(reserve({ statedOutputTokens: 50, choices: 3 })).toBe(150);
    expect(reserve({ statedOutputTokens: 5_000_000 })).toBe(800);
    expect(reserve({ statedOutputTokens: 0 })).toBe(0);
  });

  it('never makes the first call of a small key too large', () => {
    expect(reserve({ owners: [large, small] })).toBe(400);
    expect(reserve({ owners: [large, small], statedOutputTokens: 100_000 })).toBe(400);
    expect(reserve({ owners: [small], inputTokens: 600 })).toBe(0);
    expect(reserve({ owners: [owner('a', rate('output_tokens', 70, MINUTE_MS))], inputTokens: 600 })).toBe(
      70,
    );
    expect(reserve({ owners: [owner('a', rate('input_tokens', 70, MINUTE_MS))] })).toBe(800);
    expect(reserve({ owners: [owner('a', rate('model_tokens', 0, MINUTE_MS, 70))] })).toBe(0);
  });

  it('is all that the call states under strict, even what can never fit', () => {
    expect(reserve({ policy: 'strict', statedOutputTokens: 5_000, choices: 2, owners: [small] })).toBe(
      10_000,
    );
  });

  it('is all that the smallest bucket has beside the input under strict, when the call states nothing', () => {
    expect(reserve({ policy: 'strict', owners: [large, small] })).toBe(400);
    expect(reserve({ policy: 'strict', owners: [owner('a', slots(2))] })).toBe(800);
  });

  it('is a finite whole number, whatever the call says', () => {
    const anything = fc.oneof(
      fc.double(),
      fc.integer(),
      fc.constantFrom(Number.POSITIVE_INFINITY, Number.NaN, 1e308),
    );
    const call = fc.record({
      policy: fc.constantFrom('learned' as const, 'strict' as const),
      statedOutputTokens: fc.option(anything, { nil: undefined }),
      choices: anything,
      learnedTokens: anything,
      inputTokens: anything,
      owners: fc.subarray([large, small]),
    });
    fc.assert(
      fc.property(call, (changes) => {
        const tokens = reserve(changes);
        expect(Number.isSafeInteger(tokens) && tokens >= 0).toBe(true);
      }),
    );
  });
});

describe('a call that is larger than one call may be', () => {
  const request: SizeLimit = { kind: 'size', name: 'max_request_tokens', amount: 1_000 };
  const output: SizeLimit = { kind: 'size', name: 'max_output_tokens', amount: 300 };
  const sized = (...sizes: SizeLimit[]) => [{ owner: 'key:a', buckets: [], sizes }];
  const call = { inputTokens: 500, statedOutputTokens: undefined, choices: 1, reservedOutputTokens: 500 };

  it('is refused by what it states, or by what is reserved where it states nothing', () => {
    expect(sizeRefusal({ ...call, owners: sized(request) })).toBeUndefined();
    expect(sizeRefusal({ ...call, owners: sized(request), reservedOutputTokens: 501 })).toEqual({
      owner: 'key:a',
      limit: request,
      requested: 1_001,
    });
    expect(
      sizeRefusal({ ...call, owners: sized(request), statedOutputTokens: 251, choices: 2 })?.requested,
    ).toBe(1_002);
    expect(sizeRefusal({ ...call, owners: sized(request), statedOutputTokens: 10 })).toBeUndefined();
  });

  it('is refused for its output only if it states one', () => {
    expect(sizeRefusal({ ...call, owners: sized(output) })).toBeUndefined();
    expect(sizeRefusal({ ...call, owners: sized(output), statedOutputTokens: 300 })).toBeUndefined();
    expect(sizeRefusal({ ...call, owners: sized(request, output), statedOutputTokens: 301 })?.limit).toBe(
      output,
    );
  });
});
