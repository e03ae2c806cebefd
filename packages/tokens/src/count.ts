import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { EncodingName } from './encoding.ts';

interface Loaded {
  readonly ranks: ReadonlyMap<string, number>;
  readonly pattern: RegExp;
}

const loaded = new Map<EncodingName, Loaded>();

function load(name: EncodingName): Loaded {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const path = createRequire(import.meta.url).resolve(`@dqbd/tiktoken/encoders/${name}.json`);
  const file: { pat_str: string; bpe_ranks: string } = JSON.parse(readFileSync(path, 'utf8'));
  const ranks = new Map<string, number>();
  for (const line of file.bpe_ranks.split('\n')) {
    const [, first, ...tokens] = line.split(' ');
    tokens.forEach((token, index) => {
      ranks.set(Buffer.from(token, 'base64').latin1Slice(), Number(first) + index);
    });
  }
  const made = { ranks, pattern: new RegExp(file.pat_str, 'gu') };
  loaded.set(name, made);
  return made;
}

/** How many tokens `text` is in the encoding. `<|endoftext|>` and its like are plain text. */
export function countTokens(text: string, encoding: EncodingName): number {
  const { ranks, pattern } = load(encoding);
  let count = 0;
  for (const piece of text.match(pattern) ?? []) {
    const parts = Array.from(Buffer.from(piece, 'utf8').latin1Slice());
    for (;;) {
      let best = Number.POSITIVE_INFINITY;
      let at = -1;
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = ranks.get(`${parts[i]}${parts[i + 1]}`);
        if (rank !== undefined && rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) break;
      parts.splice(at, 2, `${parts[at]}${parts[at + 1]}`);
    }
    count += parts.length;
  }
  return count;
}
