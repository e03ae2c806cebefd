import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formBoundary } from '../src/form-models.ts';
import { type NamedModels, namedModels } from '../src/named-models.ts';

const TYPE = 'multipart/form-data; boundary=b';

/** What is found in a body that comes in pieces of these lengths, over and over. */
function scan(body: string | Uint8Array, lengths: readonly number[] = [1_000_000], type = TYPE): NamedModels {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  const found = namedModels(type);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    found.take(bytes.subarray(at, at + length));
    at += length;
  }
  found.end();
  return found;
}

const part = (disposition: string, value: string) =>
  `--b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
const FILE = part('name="file"; filename="a.wav"', 'RIFF\r\n\r\n--\r\n-');
const named = (model: string) => part('name="model"', model);

describe('The model of a form', () => {
  it('is found in a form as fetch writes it, wherever the file stands and however the bytes come', async () => {
    for (const order of [
      ['file', 'model'],
      ['model', 'file'],
    ]) {
      const form = new FormData();
      for (const name of order)
        if (name === 'model') form.append(name, 'gpt-4o-transcribe');
        else form.append(name, new Blob([Buffer.alloc(70_000, '\r\n--')]), 'a "quoted" näme.wav');
      const request = new Response(form);
      const type = request.headers.get('content-type') ?? '';
      const bytes = new Uint8Array(await request.arrayBuffer());
      for (const lengths of [[1], [7, 1, 65_536], [65_536], [bytes.length]]) {
        const { models, isUnclear } = scan(bytes, lengths, type);
        expect([models, isUnclear]).toEqual([['gpt-4o-transcribe'], false]);
      }
    }
  });

  it.each([
    ['curl', `--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n${FILE}--b--\r\n`],
    ['the field behind the file', `${FILE}${named('m')}--b--\r\n`],
    ['openai-node 4', `${named('m')}${FILE}--b--\r\n\r\n`],
    ['no line end at the end', `${named('m')}${FILE}--b--`],
    ['a line end before the first boundary', `\r\n${named('m')}--b--\r\n`],
    ['a name without quotes', `${part('name=model', 'm')}--b--\r\n`],
    ['names in other letters', `--b\r\ncontent-disposition:FORM-DATA;NAME="model"\r\n\r\nm\r\n--b--\r\n`],
    [
      'more fields in a head',
      `--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--`,
    ],
    [
      'a file’s name in another coding',
      `${named('m')}${part(`name="file"; filename*=UTF-8''%e2%82%ac.wav`, 'x')}--b--`,
    ],
    ['an empty field', `${part('name="prompt"', '')}${named('m')}--b--`],
  ])('is found as %s writes it', (_what, body) => {
    for (const lengths of [[1], [3], [1_000]]) {
      const { models, isUnclear } = scan(body, lengths);
      expect([models, isUnclear]).toEqual([['m'], false]);
    }
  });

  it('is each of those that are named, in capitals and as an item of a list too', () => {
    const body = `${named('a')}${part('name="Model"', 'b')}${part('name="model[]"', 'c')}--b--`;
    expect(scan(body).models).toEqual(['a', 'b', 'c']);
    expect(scan(`${FILE}--b--`)).toMatchObject({ models: [], isUnclear: false });
  });

  it.each([
    ['no end', `${named('m')}${FILE}`],
    ['an end without its dashes', `${named('m')}--b`],
    ['something behind its end', `${named('m')}--b--\r\n${named('other')}--b--`],
    ['a text before the first part', `text\r\n${named('m')}--b--`],
    ['lines that end in LF', `${named('m')}--b--`.replaceAll('\r\n', '\n')],
    ['a boundary behind LF alone', `${part('name="x"', `1\n${named('other').trim()}`)}--b--`],
    ['a boundary in the midst of a line', `${part('name="x"', `1 ${named('other').trim()}`)}--b--`],
    ['a boundary at the very start of a value', `${part('name="x"', named('other').trim())}--b--`],
    ['spaces behind a boundary', `--b  \r\n${named('m').slice(5)}--b--`],
    ['more behind a boundary', `${part('name="x"', `1\r\n--bb\r\n`)}--b--`],
    ['a part without a head', `--b\r\n\r\nm\r\n--b--`],
    ['a part without a name', `--b\r\nContent-Type: text/plain\r\n\r\nm\r\n--b--`],
    ['two names', `${part('name="x"; name="model"', 'm')}--b--`],
    ['a name in another coding', `${part(`name="x"; name*=UTF-8''model`, 'm')}--b--`],
    ['a name in parts', `${part('name="x"; name*0="model"', 'm')}--b--`],
    [
      'a field that says how the others are written',
      `${part('name="_charset_"', 'utf-7')}${named('m')}--b--`,
    ],
    ['a file’s name with an escaped quote', `${part('name="x"; filename="a\\"; name="model"', 'm')}--b--`],
    ['an escape in a name', `${part('name="mod\\"el"', 'm')}--b--`],
    ['a quote that ends too early', `${part('name="x"y; name=model', 'm')}--b--`],
    [
      'two dispositions',
      `--b\r\nContent-Disposition: form-data; name="x"\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b--`,
    ],
    ['a folded line', `--b\r\nContent-Disposition: form-data;\r\n name="model"\r\n\r\nm\r\n--b--`],
    [
      'a line that ends in LF in a head',
      `--b\r\nX-Y: z\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--`,
    ],
    ['a head without an end', `--b\r\nContent-Disposition: ${'x'.repeat(20_000)}`],
    [
      'a value in base64',
      `--b\r\nContent-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64\r\n\r\nbQ==\r\n--b--`,
    ],
    ['a name that is too long', `${named('m'.repeat(300))}--b--`],
    ['a name that has no end', named('m'.repeat(2_000)).trimEnd()],
    ['a name of two lines', `${named('m\r\nn')}--b--`],
    ['a name in UTF-16', `${named('m\0n\0')}--b--`],
    ['an empty name', `${named('')}--b--`],
    ['too many names', `${named('m').repeat(17)}--b--`],
    ['nothing', ''],
  ])('is in doubt where the form has %s', (_what, body) => {
    for (const lengths of [[1], [5, 2], [100_000]]) expect(scan(body, lengths).isUnclear).toBe(true);
  });

  it('is what every server finds there only as a field of that very name', () => {
    const own = (body: string) => scan(`${body}--b--`).own;
    expect(own(named('m'))).toEqual(['m']);
    expect(own(named('m') + named('m') + named('n'))).toEqual(['m', 'n']);
    expect(own(part('name="model"; filename="a"', 'm'))).toEqual(['']);
    for (const name of ['Model', 'model[]', ' model', "'model'"]) {
      const found = scan(`${part(`name="${name}"`, 'm')}--b--`);
      expect([found.own, found.models]).toEqual([[], ['m']]);
    }
  });

  it('is found beside a file whose name holds a backslash', () => {
    const found = scan(`${part('name="file"; filename="a\\b.wav"', 'x')}${named('m')}--b--`);
    expect([found.models, found.isUnclear]).toEqual([['m'], false]);
  });

  it.each(['; charset=utf-7', '; charset=utf-16', "; charset*=utf-8''x"])(
    'is in doubt with %s',
    (charset) => {
      expect(scan(`${named('m')}--b--`, [100], `${TYPE}${charset}`).isUnclear).toBe(true);
      expect(scan(`${named('m')}--b--`, [100], `${TYPE}; charset=UTF-8`).isUnclear).toBe(false);
    },
  );

  it('is found in the same way in whatever pieces the bytes come', () => {
    const piece = fc.constantFrom(
      '\r\n',
      '--b',
      '--',
      '\r',
      '\n',
      'model',
      named('a'),
      named('b'),
      FILE,
      '"',
      ':',
      ' ',
      'x'.repeat(300),
    );
    const lengths = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), lengths, (pieces, cuts) => {
        const body = `${pieces.join('')}--b--`;
        const whole = scan(body);
        const cut = scan(body, cuts);
        expect(cut.isUnclear).toBe(whole.isUnclear);
        if (!whole.isUnclear) expect(cut.models).toEqual(whole.models);
      }),
      { numRuns: 3_000 },
    );
  });

  it('is found before a file of 64 MB', () => {
    const found = namedModels(TYPE);
    found.take(Buffer.from(named('m') + part('name="file"', '').slice(0, -2)));
    const chunk = Buffer.alloc(65_536, '\r\n-');
    for (let i = 0; i < 1_024; i++) found.take(chunk);
    found.take(Buffer.from('\r\n--b--\r\n'));
    found.end();
    expect([found.models, found.isUnclear]).toEqual([['m'], false]);
  });
});

describe('The boundary of a form', () => {
  it.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data;charset=utf-8; BOUNDARY="a b:c"', 'a b:c'],
    ['multipart/mixed; boundary=abc', 'abc'],
    ['application/json', undefined],
    [undefined, undefined],
    ['multipart/form-data', ''],
    ['multipart/form-data; boundary=', ''],
    ['multipart/form-data; boundary=a; boundary=b', ''],
    ['multipart/form-data; boundary=a; boundary*0=b', ''],
    ['multipart/form-data, x; boundary=a', ''],
    ['multipart/form-data; boundary=a,b', ''],
    ["multipart/form-data; boundary=a; boundary*=UTF-8''b", ''],
    ['multipart/form-data; boundary="a\\"b"', ''],
    [`multipart/form-data; boundary=${'a'.repeat(71)}`, ''],
    ['multipart/form-data; boundary=a, multipart/form-data; boundary=b', ''],
  ])('%s has %s', (type, boundary) => {
    expect(formBoundary(type)).toBe(boundary);
  });
});
