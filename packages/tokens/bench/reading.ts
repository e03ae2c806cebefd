// What reading and counting cost on this machine: `node packages/tokens/bench/reading.ts`.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { vocabularyMemory } from '../src/count.ts';
import { CallReader, countTokens } from '../src/index.ts';

const calls = new CallReader();
const delay = monitorEventLoopDelay({ resolution: 1 });

function row(name: string, ...cells: string[]): void {
  console.log(`${name.padEnd(44)}${cells.map((cell) => cell.padStart(14)).join('')}`);
}

async function held(name: string, work: () => unknown): Promise<void> {
  await pause(20);
  delay.enable();
  await pause(5);
  delay.reset();
  const startMs = performance.now();
  await work();
  const tookMs = performance.now() - startMs;
  await pause(5);
  row(name, `${tookMs.toFixed(1)} ms`, `${(delay.max / 1e6 - 1).toFixed(1)} ms`);
  delay.disable();
}

const chat = (content: unknown) =>
  Buffer.from(
    JSON.stringify({
      model: 'gpt-4o-mini',
      messages: [
        { role: 'system', content: 'You are a helpful assistant.' },
        { role: 'user', content },
      ],
      max_tokens: 200,
      temperature: 0.7,
    }),
  );

row('', 'in all', 'loop held');
await held('warm', () => calls.warm());
const memory = ['o200k_base', 'cl100k_base'] as const;
row(
  'shared memory of both vocabularies',
  `${(
    memory
      .map(vocabularyMemory)
      .map(
        (each) =>
          each.bytes.byteLength + each.starts.byteLength + each.slots.byteLength + each.pairs.byteLength,
      )
      .reduce((sum, each) => sum + each, 0) / 1e6
  ).toFixed(1)} MB`,
);

const small = chat(
  'Write a short note to the team that says why the release is two days late. Keep it friendly and short.',
);
const rounds: number[] = [];
for (let round = 0; round < 9; round++) {
  const startMs = performance.now();
  for (let i = 0; i < 5000; i++) calls.read('chat', small);
  rounds.push((performance.now() - startMs) / 5);
}
rounds.sort((a, b) => a - b);
row(`a chat body of ${small.length} bytes, median`, `${(rounds[4] ?? 0).toFixed(1)} µs`);

const prose = 'The limits of a team hold over all instances of the gateway, and nobody notices. ';
for (const encoding of memory) {
  const text = prose.repeat(200);
  countTokens(text, encoding);
  const startMs = performance.now();
  for (let i = 0; i < 50; i++) countTokens(text, encoding);
  const perToken = ((performance.now() - startMs) * 1e6) / (50 * countTokens(text, encoding));
  row(`prose in ${encoding}`, `${perToken.toFixed(0)} ns/token`);
}

const kilobytes = (text: string, count: number) => text.repeat(Math.ceil((count * 1000) / text.length));
const bodies: readonly (readonly [string, Buffer])[] = [
  ['8 KB of prose, inline', chat(kilobytes(prose, 7.8))],
  ['8 KB of one letter, inline', chat(kilobytes('a', 7.8))],
  ['8 KB of blanks, inline', chat(kilobytes(' ', 7.8))],
  ['100 KB of prose', chat(kilobytes(prose, 100))],
  ['100 KB of one letter', chat(kilobytes('a', 100))],
  ['100 KB of blanks', chat(kilobytes(' ', 100))],
  ['1 MB of one letter', chat(kilobytes('a', 1000))],
  ['10 MB of prose', chat(kilobytes(prose, 10_000))],
  ['10 MB of one letter', chat(kilobytes('a', 10_000))],
  [
    '10 MB of picture',
    chat([
      { type: 'image_url', image_url: { url: `data:image/png;base64,${kilobytes('iVBORw0K', 10_000)}` } },
    ]),
  ],
  ['10 MB of small objects', Buffer.from(`{"messages":[${kilobytes('{"a":1},', 10_000)}1]}`)],
  ['10 MB of brackets', Buffer.from(`{"messages":${'['.repeat(5e6)}${']'.repeat(5e6)}}`)],
];
for (const [name, body] of bodies) await held(name, () => calls.read('chat', body));

const without = new CallReader({ thread: false });
for (const [name, body] of bodies.slice(-5)) {
  await held(`${name}, without a thread`, () => without.read('chat', body));
}
await calls.close();
