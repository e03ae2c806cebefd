import { CHAT, post } from './requests.ts';

/** A request made to keep a server's event loop from everybody else. */
export interface HostileCall {
  readonly name: string;
  readonly bytes: Buffer;
}

const WORDS = 'the quick brown fox jumps over a lazy dog and sleeps until tomorrow '.split(' ');

/** Ordinary prose of so many characters: what an honest big prompt is. */
function prose(characters: number): string {
  const parts: string[] = [];
  for (let length = 0, index = 0; length < characters; index++) {
    const word = WORDS[(index * 7 + (index >> 4)) % WORDS.length] ?? '';
    parts.push(word);
    length += word.length + 1;
  }
  return parts.join(' ').slice(0, characters);
}

function chat(content: unknown): string {
  return JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content }], max_tokens: 16 });
}

/** The number of bytes that a chat call's body has beside its prompt, with room to spare. */
const AROUND = 200;
const MB = 1024 * 1024;

/** Bodies of 10 MB, and small ones that cost a naive counter or parser far more than their size. */
export function hostileCalls(): HostileCall[] {
  const calls: [string, string][] = [
    ['10 MB of prose', chat(prose(10 * MB - AROUND))],
    ['10 MB of one letter', chat('a'.repeat(10 * MB - AROUND))],
    [
      '10 MB in a field nobody reads',
      `{"padding":"${'x'.repeat(10 * MB - 2 * AROUND)}",${chat('Hi.').slice(1)}`,
    ],
    ['100 KB of one letter', chat('a'.repeat(100_000))],
    ['100 KB of spaces', chat(' '.repeat(100_000))],
    ['100 KB of line ends', chat('\r\n'.repeat(50_000))],
    ['100 KB of digits', chat('7'.repeat(100_000))],
    ['100 KB of ideographs', chat('漢'.repeat(33_000))],
    ['100 KB of joined emoji', chat('👩‍👩‍👧‍👦'.repeat(4_000))],
    ['600 KB of escapes', chat('a').replace('"a"', `"${'\\u0061'.repeat(100_000)}"`)],
    [
      '200 KB of nested lists',
      `{"model":"gpt-4o-mini","messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    ],
    [
      '600 KB of nested objects',
      `{"model":"gpt-4o-mini","messages":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
    ],
    [
      '10,000 messages',
      JSON.stringify({
        model: 'gpt-4o-mini',
        messages: Array.from({ length: 10_000 }, () => ({ role: 'user', content: 'Hi.' })),
      }),
    ],
    [
      '50,000 names in an object',
      `{${Array.from({ length: 50_000 }, (_, index) => `"n${index}":0`).join(',')},${chat('Hi.').slice(1)}`,
    ],
    ['1 MB of prose', chat(prose(MB))],
  ];
  return calls.map(([name, body]) => ({ name, bytes: post(CHAT, body) }));
}
