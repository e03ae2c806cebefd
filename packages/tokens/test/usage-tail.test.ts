import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usageAtEnd } from '../src/usage-tail.ts';

/** A key as it may be spelled; the last is `usage` too. */
const name = fc.constantFrom('"usage"', '"usage"', '"a"', '"choices"', '"x\\"usage"', '"us\\u0061ge"');
const text = fc.constantFrom(
  '"usage"',
  '"\\"usage\\":{}"',
  '"{\\"usage\\":{\\"prompt_tokens\\":1}}"',
  '"}}"',
  '"\\\\"',
  '"ü"',
  '",\\"usage\\""',
);
const blank = fc.constantFrom('', '', ' ', '\n\t');
const scalar = fc.oneof(text, fc.constantFrom('null', 'true', '12', '-0.5e3'));

/** JSON of any shape, as text: with names that come twice, strings that look like structure, and white space. */
const { json } = fc.letrec<{ json: string; object: string }>((tie) => ({
  json: fc.oneof({ maxDepth: 4, withCrossShrink: true }, scalar, tie('object'), arrayOf(tie('json'))),
  object: objectOf(tie('json')),
}));

function arrayOf(item: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(item, { maxLength: 3 }), blank)
    .map(([items, gap]) => `[${gap}${items.join(`,${gap}`)}]`);
}

function objectOf(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const field = fc
    .tuple(name, blank, value, blank)
    .map(([key, gap, held, more]) => `${key}${gap}:${held}${more}`);
  return fc
    .tuple(fc.array(field, { maxLength: 4 }), blank)
    .map(([fields, gap]) => `{${gap}${fields.join(`${gap},${gap}`)}}`);
}

/** An answer as most are: an object with a usage, and something around it. */
const withUsage = fc
  .tuple(
    fc.array(json, { maxLength: 2 }),
    blank,
    objectOf(json),
    fc.array(fc.tuple(name, json), { maxLength: 2 }),
  )
  .map(([before, gap, usage, behind]) => {
    const fields = [
      ...before.map((value) => `"a":${value}`),
      `"usage"${gap}:${gap}${usage}`,
      ...behind.map(([key, value]) => `${key}:${value}`),
    ];
    return `{${fields.join(`,${gap}`)}${gap}}`;
  });

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

describe('the usage at the end of an answer', () => {
  it('is what JSON.parse finds, or nothing, whatever the answer holds', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.oneof(withUsage, objectOf(json), json), blank, (value, gap) => {
        const body = `${gap}${value}${gap}`;
        const usage = usageAtEnd(Buffer.from(body));
        if (usage === undefined) return;
        found++;
        expect(parsed(body)).toHaveProperty('usage');
        expect(usage).toEqual(JSON.parse(body).usage);
      }),
      { numRuns: 20_000 },
    );
    expect(found).toBeGreaterThan(500);
  });

  it('is found wherever APIs have it', () => {
    const usage = { prompt_tokens: 38, total_tokens: 83, prompt_tokens_details: { cached_tokens: 0 } };
    for (const answer of [
      { choices: [{ message: { content: 'the "usage": {"prompt_tokens": 9}' } }], usage },
      { choices: [], usage, system_fingerprint: 'fp', service_tier: '}]{' },
      { usage, data: [{ embedding: [1, 2] }] },
    ]) {
      expect(usageAtEnd(Buffer.from(JSON.stringify(answer)))).toEqual(usage);
      expect(usageAtEnd(Buffer.from(JSON.stringify(answer, null, 2)))).toEqual(usage);
    }
  });

  it.each([
    ['in a nested object', '{"a":{"usage":{"total_tokens":1}}}'],
    ['in an array', '[{"usage":{"total_tokens":1}}]'],
    ['in a string', '{"a":"\\"usage\\":{}}"}'],
    ['a value, not a name', '{"a":["usage"],"b":"usage"}'],
    ['no object', '{"usage":3}'],
    ['named again by an escape', '{"usage":{"total_tokens":1},"us\\u0061ge":{"total_tokens":2}}'],
    ['cut', '{"usage":{"total_tokens":1}'],
    ['cut in its middle', '{"usage":{"total_tokens":'],
    ['followed by more', '{"usage":{"total_tokens":1}}{}'],
    ['closed by another bracket', '{"usage":{"total_tokens":1}]'],
    ['far from the end', `{"usage":{"total_tokens":1},"a":"${'x'.repeat(3000)}"}`],
    ['nothing', ''],
    ['alone', '"usage"'],
  ])('is not read where it is %s', (_, body) => {
    expect(usageAtEnd(Buffer.from(body))).toBeUndefined();
  });
});
