import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonModels } from '../src/json-models.ts';

function scan(body: string | Buffer, length = 1_000_000): JsonModels {
  const bytes = Buffer.from(body);
  const found = new JsonModels();
  for (let at = 0; at < bytes.length; at += length) found.take(bytes.subarray(at, at + length));
  found.end();
  return found;
}

/** What JSON gives as `model`, read by its own parser. */
function modelsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name.toLowerCase() === 'model' && typeof inner === 'string' ? [inner] : modelsIn(inner),
  );
}

describe('The models that JSON names', () => {
  it.each([
    ['{"model":"gpt-5"}', ['gpt-5']],
    ['\n{ "voice" : "alloy" ,\t"model" :\n"gpt-5" }', ['gpt-5']],
    ['{"session":{"type":"realtime","model":"gpt-realtime"}}', ['gpt-realtime']],
    ['{"requests":[{"params":{"model":"a"}},{"params":{"model":"b"}},{"params":{"model":"a"}}]}', ['a', 'b']],
    ['{"MODEL":"a","mod\\u0065l":"b","model":"\\u0063"}', ['a', 'b', 'c']],
    ['{"x":"model","y":"gpt-5"}', []],
    ['{"x":["model","gpt-5"]}', []],
    ['{"x":"\\"model\\":\\"gpt-5\\""}', []],
    ['{"model":{"type":"string"},"model":null,"model":7}', []],
    ['{"model_kwargs":"a","models":"b"," model":"c"}', []],
    ['{"model":"a"}\n{"model":"b"}\n', ['a', 'b']],
    ['', []],
    ['model=gpt-5', []],
  ])('%s', (body, models) => {
    for (const length of [1, 2, 7, 1_000]) {
      const found = scan(body, length);
      expect([found.models, found.isUnclear]).toEqual([models, false]);
    }
  });

  it('are those that a parser finds, in whatever JSON and pieces', () => {
    const name = fc.oneof(
      fc.constantFrom('model', 'MODEL', 'x'),
      fc.string({ unit: 'binary', maxLength: 12 }),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        name,
        fc.constantFrom(null, true, 0.5),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(name, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(
        value,
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(undefined, 2),
        (json, length, indent) => {
          const found = scan(`[${JSON.stringify(json, null, indent)}]`, length);
          expect(found.models).toEqual([...new Set(modelsIn(JSON.parse(JSON.stringify([json]))))]);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['UTF-16', Buffer.from('{"model":"a"}', 'utf16le')],
    ['UTF-16 with a mark', Buffer.from('\ufeff{"model":"a"}', 'utf16le')],
    ['UTF-16, the other way round', Buffer.from('\ufeff{"model":"a"}', 'utf16le').swap16()],
    ['more than a thousand', JSON.stringify(Array.from({ length: 1_001 }, (_, i) => ({ model: String(i) })))],
  ])('are in doubt in %s', (_what, body) => {
    for (const length of [1, 3, 100_000]) expect(scan(body, length).isUnclear).toBe(true);
  });

  it.each([['x'.repeat(5_000)], ['a\\q']])('are in doubt where one is no name', (text) => {
    expect(scan(`{"model":"${text}","model":"a"}`)).toMatchObject({ models: ['a'], isUnclear: true });
  });

  it.each([
    ['{"model":"a","metadata":{"model":"b"},"Model":"c"}', ['a']],
    ['{"metadata":{"model":"b"}}', []],
    ['[{"model":"b"}]', []],
    ['{"model":"a","model":"b"}', ['a', 'b']],
    ['{"model":"a","model":null}', ['a', '']],
    ['{"model":{"x":1}}', ['']],
  ])('of its own are those that every server finds: %s', (body, own) => {
    for (const length of [1, 1_000]) expect(scan(body, length).own).toEqual(own);
  });

  it('are all known once the object ends, whatever comes behind it', () => {
    expect(scan('{"model":"a"').isOver).toBe(false);
    expect(scan('{"model":"a"}').isOver).toBe(true);
  });
});
