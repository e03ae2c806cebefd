import { threadCpuMs } from '@nexus/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockSplitter } from '../src/sse-split.ts';
import { cutAt } from './meter-run.ts';

/**
 * The blocks of a stream, with a late LF put back to the block that it belongs to; parts of a large one
 * joined by `|`.
 */
function split(pieces: readonly Buffer[], mostHeld = 1_000): string[] {
  const blocks: string[] = [];
  let parts = '';
  const splitter = new BlockSplitter(
    {
      block: (bytes, start, end) => blocks.push(bytes.toString('latin1', start, end)),
      part: (bytes, start, end, last) => {
        parts += bytes.toString('latin1', start, end);
        if (!last) return;
        blocks.push(`large:${parts}`);
        parts = '';
      },
      lateLf: () => blocks.push(`${blocks.pop()}\n`),
    },
    mostHeld,
  );
  for (const piece of pieces) splitter.push(piece);
  splitter.end();
  return blocks;
}

const whole = (text: string, mostHeld?: number): string[] => split([Buffer.from(text, 'latin1')], mostHeld);

describe('BlockSplitter', () => {
  it('ends a block at a blank line, whatever ends its lines', () => {
    expect(whole('data: a\n\ndata: b\n\n')).toEqual(['data: a\n\n', 'data: b\n\n']);
    expect(whole('data: a\r\n\r\ndata: b\r\n\r\n')).toEqual(['data: a\r\n\r\n', 'data: b\r\n\r\n']);
    expect(whole('data: a\r\rdata: b\r\r')).toEqual(['data: a\r\r', 'data: b\r\r']);
    expect(whole('a\n\r\nb\r\n\nc\r\n\rd\n\r')).toEqual(['a\n\r\n', 'b\r\n\n', 'c\r\n\r', 'd\n\r']);
  });

  it('keeps the lines of one block together', () => {
    expect(whole('event: x\ndata: a\ndata: b\n\n: c\n\n')).toEqual([
      'event: x\ndata: a\ndata: b\n\n',
      ': c\n\n',
    ]);
  });

  it('gives blank lines as blocks of their own', () => {
    expect(whole('\n\n\ndata: a\n\n\n')).toEqual(['\n', '\n', '\n', 'data: a\n\n', '\n']);
  });

  it('gives an unfinished block at the end', () => {
    expect(whole('data: a\n\ndata: b\n')).toEqual(['data: a\n\n', 'data: b\n']);
  });

  it('gives a block at its limit whole, and a larger one in parts', () => {
    expect(whole('12345\n\n', 7)).toEqual(['12345\n\n']);
    expect(whole('123456\n\nx\n\n', 7)).toEqual(['large:123456\n\n', 'x\n\n']);
    expect(
      split(
        [...Buffer.from('123456789\n\nx\n\n12345678')].map((byte) => Buffer.of(byte)),
        7,
      ),
    ).toEqual(['large:123456789\n\n', 'x\n\n', 'large:12345678']);
  });

  it('gives the same blocks however the stream is cut, and loses no byte', () => {
    const stream = fc.array(fc.constantFrom('\n', '\r', '\r\n', 'a', 'data: b', '\n\n', '\r\n\r\n', ''), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat(200), { maxLength: 20 }),
        fc.integer({ min: 2, max: 40 }),
        (texts, places, most) => {
          const bytes = Buffer.from(texts.join(''), 'latin1');
          const inOne = split([bytes], most);
          expect(split(cutAt(bytes, places), most)).toEqual(inOne);
          expect(inOne.map((block) => block.replace('large:', '')).join('')).toBe(bytes.toString('latin1'));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('takes time in proportion to a block that comes byte by byte', () => {
    const bytes = Buffer.from(`data: ${'x'.repeat(200_000)}\n\n`);
    const start = threadCpuMs();
    expect(
      split(
        [...bytes].map((byte) => Buffer.of(byte)),
        1_000_000,
      ),
    ).toHaveLength(1);
    expect(threadCpuMs() - start).toBeLessThan(2_000);
  });
});
