import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TopLevelScan } from '../src/top-level-scan.ts';

const NAMES = new Set(['model', 'n', 'tools']);

function scanned(text: string, step: number): TopLevelScan {
  const bytes = Buffer.from(text);
  const scan = new TopLevelScan(bytes, 0, bytes.length, NAMES);
  while (!scan.step(step));
  return scan;
}

describe('TopLevelScan', () => {
  it('finds the very values that JSON.parse finds, in steps of any length', () => {
    // Names that differ in case alone are duplicates to the scan, so only one case is drawn.
    const name = fc.oneof(fc.constantFrom(...NAMES), fc.string()).map((drawn) => drawn.toLowerCase());
    const long = fc.string({ minLength: 40, maxLength: 120 }).map((text) => `${text}\\"\\\\`);
    const value = fc.oneof(fc.jsonValue(), long, fc.array(long));
    fc.assert(
      fc.property(
        fc.dictionary(name, value),
        fc.nat(70),
        fc.constantFrom(undefined, 2),
        (call, step, indent) => {
          const text = JSON.stringify(call, null, indent);
          const scan = scanned(text, step + 1);
          expect(scan.closed).toBe(true);
          for (const wanted of NAMES) {
            const span = scan.fields.get(wanted);
            const found = span && JSON.parse(Buffer.from(text).toString('utf8', span.start, span.end));
            expect(found).toEqual(
              Object.hasOwn(call, wanted) ? JSON.parse(JSON.stringify(call[wanted])) : undefined,
            );
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes a name in other case for a duplicate, but not for the field', () => {
    expect(scanned('{"N":1}', 99).fields.size).toBe(0);
    expect(scanned('{"N":1,"n":2}', 99).duplicate).toBe('n');
    expect(scanned('{"n":1,"N":2}', 99).duplicate).toBe('n');
  });

  it('ends on any bytes whatever', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...'{}[]",:\\ax1 \n'), { maxLength: 80 }),
        fc.nat(20),
        (bytes, step) => {
          const scan = scanned(bytes.join(''), step + 1);
          expect(typeof scan.closed).toBe('boolean');
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['quotes that are escaped', `{"n":"${'\\"'.repeat(2_000_000)}"}`],
    ['backslashes', `{"n":"${'\\\\'.repeat(2_000_000)}"}`],
    ['brackets', `{"n":${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}}`],
    ['empty strings', `{"n":[${'"",'.repeat(1_300_000)}1]}`],
    ['quotes never closed', '"'.repeat(4_000_001)],
    ['an open string', `{"n":"${'x'.repeat(4_000_000)}`],
  ])('takes no step of more than its share over 4 MB of %s', (_, text) => {
    const bytes = Buffer.from(text);
    const scan = new TopLevelScan(bytes, 0, bytes.length, NAMES);
    const stepsMs: number[] = [];
    for (let over = false; !over; ) {
      const startMs = performance.now();
      over = scan.step(64 * 1024);
      stepsMs.push(performance.now() - startMs);
    }
    // One of the 60 steps is a sixtieth of the work; a garbage collection or a neighbour may fall into a few.
    expect(stepsMs.sort((a, b) => a - b)[Math.floor(stepsMs.length / 2)]).toBeLessThan(5);
  });
});
