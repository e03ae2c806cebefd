import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyRedaction } from '../../src/upstream/key-redaction.ts';

function redactionOf(upstreamKey: string | undefined, status = 400): KeyRedaction | undefined {
  const principal = {
    keyId: 'a',
    limits: { owner: 'key:a', buckets: [], sizes: [] },
    modelRules: [],
    ...(upstreamKey !== undefined && { upstreamKey }),
  };
  return KeyRedaction.of({ identity: { principal, header: 'authorization' } }, status);
}

function through(redaction: KeyRedaction, pieces: readonly string[]): string {
  const out = pieces.map((piece) => redaction.write(Buffer.from(piece)));
  return Buffer.concat([...out, redaction.end()]).toString();
}

// Two letters alone, so that a key overlaps with itself and with what stands around it.
const word = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b'), minLength, maxLength });

describe('the redaction of a key', () => {
  it('puts a star for each of its bytes, wherever the text is cut', () => {
    const given = fc.record({ key: word(1, 6), pieces: fc.array(word(0, 9), { maxLength: 8 }) });
    fc.assert(
      fc.property(given, ({ key, pieces }) => {
        const redaction = redactionOf(key);
        if (!redaction) throw new Error('there is a key');
        const text = through(redaction, pieces);
        expect(text).toBe(pieces.join('').replaceAll(key, '*'.repeat(key.length)));
        expect(text).not.toContain(key);
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps no more back than could go on as the key', () => {
    const redaction = redactionOf('sk-canary');
    expect(String(redaction?.write(Buffer.from('no key here sk-can')))).toBe('no key here ');
    expect(String(redaction?.write(Buffer.from('vat')))).toBe('sk-canvat');
    expect(String(redaction?.end())).toBe('');
  });

  it('is for errors and redirections, and for keys of ours alone', () => {
    expect([200, 204, 299].map((status) => redactionOf('sk-canary', status))).toEqual(
      Array(3).fill(undefined),
    );
    expect([301, 400, 500, 599].every((status) => redactionOf('sk-canary', status))).toBe(true);
    expect(redactionOf(undefined)).toBeUndefined();
  });
});
