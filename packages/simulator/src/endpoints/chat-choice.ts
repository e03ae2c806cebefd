import { cut, type Generation } from '../generation.ts';
import { CHARACTERS_PER_TOKEN, countTokens, idOf } from '../tokens.ts';

/** One of a chat answer's `n`, whole and in pieces. All strings are JSON ready to be put in place. */
export interface Choice {
  readonly textTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  readonly finish: string;
  /** The members of the whole choice besides its index. */
  readonly whole: string;
  /** The first delta of the stream. */
  readonly first: string;
  readonly pieces: number;
  /** `open + piece + shut` is the inside of a delta. */
  readonly open: string;
  readonly piece: (index: number) => string;
  readonly shut: string;
}

export function textChoice(generation: Generation): Choice {
  const finish = generation.truncated ? 'length' : 'stop';
  return {
    textTokens: generation.textTokens,
    completionTokens: generation.completionTokens,
    cachedTokens: generation.cachedTokens,
    finish,
    whole: `"message":{"role":"assistant","content":"${generation.text}","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"${finish}"`,
    first: '{"role":"assistant","content":"","refusal":null}',
    pieces: generation.pieces,
    open: '"content":"',
    piece: generation.piece,
    shut: '"',
  };
}

const ARGUMENTS_START = '{"query":"';
const ARGUMENTS_END = '"}';

/** A call of one tool with one argument, as many tokens long as the text would have been (at least 3, or cut short). */
export function toolChoice(
  generation: Generation,
  tool: { name: string; finish: string },
  seed: number,
): Choice {
  const wrapped = ARGUMENTS_START.length + ARGUMENTS_END.length;
  const room = generation.textTokens * CHARACTERS_PER_TOKEN - wrapped;
  const full = ARGUMENTS_START + generation.text.slice(0, Math.max(0, room)) + ARGUMENTS_END;
  const text = generation.truncated ? full.slice(0, generation.textTokens * CHARACTERS_PER_TOKEN) : full;
  const textTokens = countTokens(text);
  const { pieces, piece } = cut(text);
  const call = (given: string) =>
    `{"id":"call_${idOf(seed).slice(0, 24)}","type":"function","function":{"name":${JSON.stringify(tool.name)},"arguments":${given}}}`;
  const finish = generation.truncated ? 'length' : tool.finish;
  return {
    textTokens,
    completionTokens: textTokens + generation.reasoningTokens,
    cachedTokens: generation.cachedTokens,
    finish,
    whole: `"message":{"role":"assistant","content":null,"tool_calls":[${call(JSON.stringify(text))}],"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"${finish}"`,
    first: `{"role":"assistant","content":null,"tool_calls":[{"index":0,${call('""').slice(1)}],"refusal":null}`,
    pieces,
    open: '"tool_calls":[{"index":0,"function":{"arguments":',
    piece: (index) => JSON.stringify(piece(index)),
    shut: '}}]',
  };
}
