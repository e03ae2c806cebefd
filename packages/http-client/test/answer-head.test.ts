import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AnswerHead, AnswerHeads } from '../src/index.ts';

function readBy(heads: AnswerHeads, lines: readonly string[]): AnswerHead | undefined {
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\nand a body: of it\r\n`, 'latin1');
  return heads.read(bytes, bytes.indexOf('\r\n\r\n'));
}

function head(...lines: string[]): AnswerHead | undefined {
  return readBy(new AnswerHeads(), lines);
}

describe('The head of an answer', () => {
  it('is its status, its reason and its fields, names in lower case, values without the blanks around them', () => {
    const read = head('HTTP/1.1 404 Not Found', 'Content-Type:application/json', 'X-Y: \t a  b \t', 'Empty:');
    expect(read).toMatchObject({ status: 404, reason: 'Not Found', framing: { by: 'close' } });
    expect(read?.fields.list).toEqual(['content-type', 'application/json', 'x-y', 'a  b', 'empty', '']);
  });

  it('needs no reason, nor the blank before it', () => {
    expect(head('HTTP/1.1 200')?.reason).toBe('');
    expect(head('HTTP/1.1 200 ')?.reason).toBe('');
  });

  it('keeps what came twice as two fields, and gives the first, or all in one list', () => {
    const fields = head('HTTP/1.1 200 OK', 'Set-Cookie: a=1', 'X: y', 'set-cookie: b=2')?.fields;
    expect(fields?.list).toEqual(['set-cookie', 'a=1', 'x', 'y', 'set-cookie', 'b=2']);
    expect(fields?.get('set-cookie')).toBe('a=1');
    expect(fields?.joined('set-cookie')).toBe('a=1, b=2');
    expect(fields?.without((name) => name === 'set-cookie').list).toEqual(['x', 'y']);
    expect(fields?.get('none')).toBeUndefined();
  });

  it.each(['constructor', '__proto__', 'tostring', '42', "!#$%&'*+.^_`|~-"])(
    'may have any name that is one: %s',
    (name) => {
      for (let time = 0; time < 2; time += 1)
        expect(head('HTTP/1.1 200 OK', `${name}: v`)?.fields.list).toEqual([name, 'v']);
    },
  );

  it('tells apart names that are alike in length, beginning and end, however often they come', () => {
    for (const name of ['X-Aa-Z', 'X-Bb-Z', 'x-Aa-Z', 'X-Aa-Z', 'X-Bb-Z'])
      expect(head('HTTP/1.1 200 OK', `${name}: v`)?.fields.list).toEqual([name.toLowerCase(), 'v']);
  });

  it('passes bytes above ASCII in values', () => {
    expect(head('HTTP/1.1 200 OK', 'x: caf\xe9')?.fields.get('x')).toBe('caf\xe9');
  });

  it.each([
    ['no HTTP', ['<html>']],
    ['another version', ['HTTP/2 200 OK']],
    ['a minor version that there is none of', ['HTTP/1.2 200 OK']],
    ['two blanks', ['HTTP/1.1  200 OK']],
    ['a status of four digits', ['HTTP/1.1 2000 OK']],
    ['a status of two digits', ['HTTP/1.1 20 OK']],
    ...['000', '042', '099'].map((status): [string, string[]] => [
      `the status ${status}`,
      [`HTTP/1.1 ${status} X`],
    ]),
    ['a status with a sign', ['HTTP/1.1 +20 OK']],
    ['a NUL in the reason', ['HTTP/1.1 200 O\0K']],
    ['a NUL in a value', ['HTTP/1.1 200 OK', 'x: a\0b']],
    ['a DEL in a value', ['HTTP/1.1 200 OK', 'x: a\x7fb']],
    ['a bare LF', ['HTTP/1.1 200 OK', 'x: a\ny: b']],
    ['a bare LF in the first line', ['HTTP/1.1 200 OK\nx: a']],
    ['a bare CR', ['HTTP/1.1 200 OK', 'x: a\ry: b']],
    ['a CR before CR LF', ['HTTP/1.1 200 OK', 'x: a\r', 'y: b']],
    ['a folded line', ['HTTP/1.1 200 OK', 'x: a', ' b: c']],
    ['a line folded with a tab', ['HTTP/1.1 200 OK', 'x: a', '\tb']],
    ['a blank before the colon', ['HTTP/1.1 200 OK', 'content-length : 5']],
    ['no name', ['HTTP/1.1 200 OK', ': 5']],
    ['no colon', ['HTTP/1.1 200 OK', 'content-length']],
    ['a name with a byte above ASCII', ['HTTP/1.1 200 OK', 'caf\xe9: 1']],
    ['two lengths', ['HTTP/1.1 200 OK', 'content-length: 5', 'content-length: 6']],
    ['one length twice', ['HTTP/1.1 200 OK', 'content-length: 5', 'Content-Length: 5']],
    ['a list of lengths', ['HTTP/1.1 200 OK', 'content-length: 5, 5']],
    ['a length with a sign', ['HTTP/1.1 200 OK', 'content-length: +5']],
    ['a hexadecimal length', ['HTTP/1.1 200 OK', 'content-length: 0x5']],
    ['no length', ['HTTP/1.1 200 OK', 'content-length:']],
    ['a length beyond all numbers', ['HTTP/1.1 200 OK', `content-length: ${'9'.repeat(20)}`]],
    ['a length beside chunks', ['HTTP/1.1 200 OK', 'content-length: 5', 'transfer-encoding: chunked']],
    ['a coding that nobody asked for', ['HTTP/1.1 200 OK', 'transfer-encoding: gzip, chunked']],
    ['chunks twice', ['HTTP/1.1 200 OK', 'transfer-encoding: chunked', 'transfer-encoding: chunked']],
    ['chunks that are none', ['HTTP/1.1 200 OK', 'transfer-encoding: xchunked']],
    ['chunks in HTTP/1.0', ['HTTP/1.0 200 OK', 'transfer-encoding: chunked']],
    ['an invalid length where there is no body', ['HTTP/1.1 204 No Content', 'content-length: x']],
  ])('is none with %s', (_what, lines) => {
    expect(head(...lines)).toBeUndefined();
  });

  it.each([
    [['HTTP/1.1 200 OK', 'content-length: 12'], { by: 'length', bytes: 12 }],
    [['HTTP/1.1 200 OK', 'Transfer-Encoding: Chunked'], { by: 'chunks' }],
    [['HTTP/1.1 200 OK'], { by: 'close' }],
    [['HTTP/1.1 204 No Content'], { by: 'length', bytes: 0 }],
    [['HTTP/1.1 304 Not Modified', 'content-length: 12'], { by: 'length', bytes: 0 }],
    [['HTTP/1.1 103 Early Hints'], { by: 'length', bytes: 0 }],
  ])('says where the body ends: %j', (lines, framing) => {
    expect(head(...lines)?.framing).toEqual(framing);
  });

  it.each([
    [['HTTP/1.1 200 OK', 'content-length: 0'], true],
    [['HTTP/1.1 200 OK', 'content-length: 0', 'connection: Keep-Alive'], true],
    [['HTTP/1.1 200 OK', 'content-length: 0', 'connection: x, Close'], false],
    [['HTTP/1.1 200 OK', 'content-length: 0', 'connection: keep-alive', 'connection: close'], false],
    [['HTTP/1.0 200 OK', 'content-length: 0', 'connection: keep-alive'], false],
    [['HTTP/1.1 200 OK'], false],
  ])('says whether the connection may be used again: %j', (lines, expected) => {
    expect(head(...lines)?.keepsAlive).toBe(expected);
  });

  it.each([
    ['timeout=5', 5],
    ['max=100, timeout=72', 72],
    ['timeout=0', 0],
    ['timeout=x', undefined],
    ['xtimeout=5', undefined],
  ])('says for how long: %s', (value, expected) => {
    expect(head('HTTP/1.1 200 OK', 'content-length: 0', `Keep-Alive: ${value}`)?.idleSeconds).toBe(expected);
  });
});

/** Lines that differ in little, and some that are none. */
const lines = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc
        .tuple(
          fc.constantFrom('Date', 'date', 'Dat', 'x-request-id', 'Set-Cookie', 'content-length', 'Dates'),
          fc.constantFrom(':', ': ', ':\t'),
          fc.constantFrom('', '1', '2', '12', 'a b', 'a b ', 'x'.repeat(600), 'caf\xe9'),
        )
        .map((parts) => parts.join('')),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', 'Date', ' Date: 1', 'Date : 1', 'Date: 1\n', 'Date: 1\r', 'Date: \0'),
    },
  ),
  { maxLength: 6 },
);
const statusLine = fc.constantFrom(
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.0 404 No',
  'x',
);

describe('Heads of one server', () => {
  it('are read one after another as each alone', () => {
    const head = fc.tuple(statusLine, lines).map(([first, fields]) => [first, ...fields]);
    fc.assert(
      fc.property(fc.array(head, { minLength: 2, maxLength: 12 }), (all) => {
        const heads = new AnswerHeads();
        for (const one of all) expect(readBy(heads, one)).toEqual(readBy(new AnswerHeads(), one));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are read right after more different ones than are remembered', () => {
    const heads = new AnswerHeads();
    for (let n = 0; n < 3_000; n += 1) {
      const read = readBy(heads, ['HTTP/1.1 200 OK', `x-${n}: ${n}`, `X: ${n % 7}`]);
      expect(read?.fields.list).toEqual([`x-${n}`, `${n}`, 'x', `${n % 7}`]);
    }
  });
});
