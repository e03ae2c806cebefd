import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Answer, AnswerReader } from '../../src/load/answer-reader.ts';

const WITH_LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Note: a\n\nb\r\n\r\nhello'.replace(
  'a\n\nb',
  'ab',
);
const CHUNKED =
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\nb\r\ndata: {1}\n\n\r\n0\r\n\r\n';
const EMPTY = 'HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nConnection: close\r\n\r\n';

/** Reads answers that come one after another, each in the pieces that `cuts` make of it. */
function readAll(texts: readonly string[], cuts: readonly number[]): Answer[] {
  const answers: Answer[] = [];
  const reader = new AnswerReader((answer) => answers.push(answer));
  for (const text of texts) {
    const bytes = Buffer.from(text);
    const places = [...cuts.map((cut) => cut % bytes.length), 0, bytes.length].sort((a, b) => a - b);
    for (let index = 1; index < places.length; index++)
      reader.push(bytes.subarray(places[index - 1], places[index]));
  }
  return answers;
}

describe('AnswerReader', () => {
  it('reads answers with a length, with chunks and without a body from one connection', () => {
    expect(readAll([WITH_LENGTH, CHUNKED, EMPTY], [])).toEqual([
      { status: 200, events: 0, bytes: 5, reads: 1, keepsAlive: true },
      { status: 200, events: 2, bytes: 20, reads: 1, keepsAlive: true },
      { status: 429, events: 0, bytes: 0, reads: 0, keepsAlive: false },
    ]);
  });

  it('sees the same in whatever pieces an answer comes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200)), (cuts) => {
        const seen = readAll([CHUNKED, WITH_LENGTH, EMPTY, CHUNKED], cuts);
        expect(seen.map(({ reads: _, ...rest }) => rest)).toEqual([
          { status: 200, events: 2, bytes: 20, keepsAlive: true },
          { status: 200, events: 0, bytes: 5, keepsAlive: true },
          { status: 429, events: 0, bytes: 0, keepsAlive: false },
          { status: 200, events: 2, bytes: 20, keepsAlive: true },
        ]);
      }),
    );
  });

  it('counts reads that brought something of the body, so that merged events show', () => {
    const [head = '', body = ''] = CHUNKED.split('\r\n\r\n9');
    const end = body.indexOf('b\r\n');
    const pieces = [`${head}\r\n\r\n`, `9${body.slice(0, end)}`, body.slice(end)];
    const answers: Answer[] = [];
    const reader = new AnswerReader((answer) => answers.push(answer));
    for (const piece of pieces) reader.push(Buffer.from(piece));
    expect(answers[0]?.reads).toBe(2);
  });

  it('throws on what it cannot read rather than wait for ever', () => {
    const reader = (): AnswerReader => new AnswerReader(() => {});
    expect(() => reader().push(Buffer.from('SSH-2.0-x\r\n\r\n'))).toThrow('no HTTP/1.1');
    expect(() => reader().push(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('neither');
    expect(() => reader().push(Buffer.from(`${EMPTY}x`))).toThrow('More came');
    const chunked = CHUNKED.replace('9\r\n', 'zz\r\n');
    expect(() => reader().push(Buffer.from(chunked))).toThrow('no chunk');
  });
});
