import { describe, expect, it } from 'vitest';
import { readData } from '../src/sse-data.ts';

function read(block: string): { data: string | undefined; lines: number; inPlace: string } {
  const place = { lines: 0, start: 0, end: 0 };
  const bytes = Buffer.from(block);
  const data = readData(bytes, 0, place);
  return { data, lines: place.lines, inPlace: bytes.toString('utf8', place.start, place.end) };
}

describe('readData', () => {
  it('reads the value with and without the one space', () => {
    expect(read('data: a\n\n').data).toBe('a');
    expect(read('data:a\n\n').data).toBe('a');
    expect(read('data:  a\n\n').data).toBe(' a');
    expect(read('data:\n\n').data).toBe('');
    expect(read('data\n\n').data).toBe('');
  });

  it('says where a lone data line stands', () => {
    expect(read('event: x\r\ndata: {"é":1}\r\nid: 4\r\n\r\n')).toEqual({
      data: '{"é":1}',
      lines: 1,
      inPlace: '{"é":1}',
    });
  });

  it('joins several data lines by a line feed', () => {
    expect(read('data: a\rdata: b\r: comment\rdata:\r\r').data).toBe('a\nb\n');
    expect(read('data: a\ndata: b\n\n').lines).toBe(2);
  });

  it('has none for comments, other fields and names that only begin so', () => {
    for (const block of [
      ': data: a\n\n',
      'event: data\n\n',
      'database: x\n\n',
      'data : x\n\n',
      'Data: x\n\n',
      '\n',
      '',
    ]) {
      expect(read(block).data).toBeUndefined();
    }
  });

  it('reads a block that was never finished', () => {
    expect(read('data: a').data).toBe('a');
  });
});
