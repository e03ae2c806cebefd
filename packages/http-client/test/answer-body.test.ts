import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerBody } from '../src/answer-body.ts';
import type { AnswerFraming } from '../src/index.ts';

/** Gives a body its bytes in pieces, as a connection would; what it took for data, and how many bytes it left, −1: it found them invalid. */
function read(
  framing: AnswerFraming,
  pieces: readonly Buffer[],
): { data: string; left: number; isOver: boolean } {
  const body = new AnswerBody(framing);
  const data: Buffer[] = [];
  let left = 0;
  for (const piece of pieces) {
    if (body.isOver) {
      left += piece.length;
      continue;
    }
    const taken = body.take(piece, (part) => data.push(part));
    if (taken < 0) return { data: Buffer.concat(data).toString('latin1'), left: -1, isOver: false };
    left += piece.length - taken;
  }
  return { data: Buffer.concat(data).toString('latin1'), left, isOver: body.isOver };
}

function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

const TEXT = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
const CUTS = fc.array(fc.nat(1_000), { maxLength: 12 });

function chunked(parts: readonly string[], extension: string, trailers: string): string {
  const sized = parts
    .filter((part) => part !== '')
    .map((part) => `${part.length.toString(16)}${extension}\r\n${part}\r\n`);
  return `${sized.join('')}0\r\n${trailers}\r\n`;
}

describe('The body of an answer', () => {
  it('in chunks is the same however the bytes arrive, and leaves what is behind it', () => {
    fc.assert(
      fc.property(
        fc.array(TEXT, { maxLength: 6 }),
        fc.constantFrom('', ';a=b', ' ;x="y"', '\t'),
        fc.constantFrom('', 'x-checksum: 1\r\n', 'a: b\r\nc: d\r\n'),
        TEXT,
        CUTS,
        (parts, extension, trailers, behind, places) => {
          const pieces = cut(chunked(parts, extension, trailers) + behind, places);
          expect(read({ by: 'chunks' }, pieces)).toEqual({
            data: parts.join(''),
            left: behind.length,
            isOver: true,
          });
        },
      ),
    );
  });

  it('of a stated length is the same however the bytes arrive, and leaves what is behind it', () => {
    fc.assert(
      fc.property(TEXT, TEXT, CUTS, (text, behind, places) => {
        const outcome = read({ by: 'length', bytes: text.length }, cut(text + behind, places));
        expect(outcome).toEqual({ data: text, left: behind.length, isOver: true });
      }),
    );
  });

  it('that ends with its connection takes everything, and is never over before', () => {
    fc.assert(
      fc.property(TEXT, CUTS, (text, places) => {
        expect(read({ by: 'close' }, cut(text, places))).toEqual({ data: text, left: 0, isOver: false });
      }),
    );
  });

  it.each([
    ['no size', '\r\nab\r\n0\r\n\r\n'],
    ['no hexadecimal size', 'xyz\r\n'],
    ['a negative size', '-1\r\n'],
    ['a size with 0x', '0x2\r\nab\r\n'],
    ['a size beyond all memory', `${'f'.repeat(13)}\r\n`],
    ['a size that ends in a bare LF', '2\nab\r\n0\r\n\r\n'],
    ['a size with a NUL', '2\0\r\nab\r\n'],
    ['more data than the size says', '2\r\nabc\r\n0\r\n\r\n'],
    ['less data than the size says', '4\r\nab\r\n0\r\n\r\n'],
    ['data that ends in a bare LF', '2\r\nab\n0\r\n\r\n'],
    ['a trailer that is no field', '0\r\nnothing\r\n\r\n'],
    ['a trailer that is folded', '0\r\na: b\r\n c\r\n\r\n'],
    ['an extension without end', `2;${'a'.repeat(5_000)}`],
    ['trailers without end', `0\r\n${'a: b\r\n'.repeat(5_000)}`],
  ])('in chunks is none with %s, in one piece or byte by byte', (_what, text) => {
    expect(read({ by: 'chunks' }, [Buffer.from(text, 'latin1')]).left).toBe(-1);
    const single = [...text].map((character) => Buffer.from(character, 'latin1'));
    expect(read({ by: 'chunks' }, single).left).toBe(-1);
  });
});
