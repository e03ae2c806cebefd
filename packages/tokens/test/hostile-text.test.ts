// The attack: a text that is one pretoken makes the usual byte-pair merge quadratic, so that 100 KB of one letter hold a
// server for 10 seconds and more; runs of white space or marks do the same to the pattern that cuts pretokens.
import { threadCpuMs } from '@nexus/testkit';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/count.ts';
import { numbers } from './corpus.ts';

const next = numbers(11);
const SIZE = 100 * 1024;

function filled(draw: () => string): string {
  let text = '';
  while (text.length < SIZE) text += draw();
  return text.slice(0, SIZE);
}

const HOSTILE: Readonly<Record<string, string>> = {
  'one letter': 'a'.repeat(SIZE),
  'one capital': 'Z'.repeat(SIZE),
  'blanks before a word': `${' '.repeat(SIZE)}x`,
  'line ends': '\n'.repeat(SIZE),
  'blanks and line ends': ' \n'.repeat(SIZE / 2),
  'line ends, each before many blanks': filled(() => `\n${' '.repeat(999)}`),
  digits: '7'.repeat(SIZE),
  apostrophes: "'".repeat(SIZE),
  contractions: "'s".repeat(SIZE / 2),
  emoji: '😀'.repeat(SIZE / 2),
  'combining marks': '\u0301'.repeat(SIZE),
  'marks that lead capitals': filled(() => `\u0301${'A'.repeat(999)}`),
  'capitals that end without case': filled(() => `${'A'.repeat(99)}あ`),
  'one Chinese character': '的'.repeat(SIZE),
  'random Chinese': filled(() => String.fromCharCode(0x4e00 + next(0x5000))),
  'random letters': filled(() => String.fromCharCode(97 + next(26))),
  'lone surrogates': '\ud800'.repeat(SIZE),
  'every plane of Unicode': filled(() => String.fromCodePoint(next(0x110000))),
};

describe('100 KB of hostile text', () => {
  countTokens('', 'o200k_base');

  it.each(Object.entries(HOSTILE))('of %s is counted within 250 ms', (_, text) => {
    for (const encoding of ['o200k_base', 'cl100k_base'] as const) {
      countTokens('x', encoding);
      const startMs = threadCpuMs();
      countTokens(text, encoding);
      expect(threadCpuMs() - startMs).toBeLessThan(250);
    }
  });

  it('takes no more than in proportion when it is eight times as long', () => {
    const msOf = (text: string) => {
      const startMs = threadCpuMs();
      countTokens(text, 'o200k_base');
      return threadCpuMs() - startMs;
    };
    const short = Math.min(...[1, 2, 3].map(() => msOf('a'.repeat(SIZE))));
    // n log n would be a factor of 9.5, a quadratic one 64.
    expect(msOf('a'.repeat(8 * SIZE))).toBeLessThan(25 * short);
  });
});
