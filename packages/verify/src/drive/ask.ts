import type { Ask } from '../deployment.ts';

/** Three letters each: with its blank every word is one token of the vocabularies in use since 2022. */
const WORDS = ['one', 'two', 'six', 'ten', 'sun', 'sea', 'red', 'old'];
/** What a chat call costs besides its text: the frame of its message. OpenAI's cookbook: 3 a message, 3 for the answer. */
const FRAME_TOKENS = 8;

/** How the upstream's API is reached below the gateway's address, and what it understands. */
export interface Dialect {
  /** `/v1`, or nothing where the gateway adds it. */
  readonly prefix: string;
  readonly model: string;
  /** Newer models refuse `max_tokens` and want `max_completion_tokens`. */
  readonly ceilingField: 'max_tokens' | 'max_completion_tokens';
}

/** The list of models: a call that costs no tokens, and is no call of a model. */
export function listAsk({ prefix }: Pick<Dialect, 'prefix'>): Ask {
  return { method: 'GET', path: `${prefix}/models` };
}

/** A chat call of about so many input tokens and at most so many output tokens. */
export function chatAsk(dialect: Dialect, inputTokens: number, outputTokens: number): Ask {
  const words = Math.max(1, inputTokens - FRAME_TOKENS);
  const content = Array.from({ length: words }, (_, i) => WORDS[i % WORDS.length]).join(' ');
  return ask(dialect, content, outputTokens, false);
}

/** A chat call with a long answer, whole or as a stream. */
export function longAsk(dialect: Dialect, outputTokens: number, stream: boolean): Ask {
  return ask(dialect, 'Count from 1 to 1000 in words, one number a line.', outputTokens, stream);
}

/** Input tokens of a `longAsk`, at most. */
export const LONG_ASK_INPUT_TOKENS = 24;

function ask(
  { prefix, model, ceilingField }: Dialect,
  content: string,
  ceiling: number,
  stream: boolean,
): Ask {
  const body = { model, messages: [{ role: 'user', content }], [ceilingField]: ceiling, stream };
  return { method: 'POST', path: `${prefix}/chat/completions`, body: JSON.stringify(body) };
}
