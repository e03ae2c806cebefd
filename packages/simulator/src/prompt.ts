import { countTokens, hashText, TOKENS_PER_AUDIO, TOKENS_PER_IMAGE, TOKENS_PER_MESSAGE } from './tokens.ts';

export type JsonObject = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the simulator reads of a prompt. */
export interface Prompt {
  readonly tokens: number;
  /** Chooses the answer; the same for the same last text, streamed or not. */
  readonly seed: number;
}

interface Reading {
  tokens: number;
  lastText: string;
}

/** A text, a part or a list of them: `"…"`, `{type:"text",text}`, `{type:"image_url"}`, `[…]`. */
function readContent(content: unknown, reading: Reading): void {
  if (typeof content === 'string') {
    reading.tokens += countTokens(content);
    reading.lastText = content;
    return;
  }
  if (Array.isArray(content)) {
    for (const part of content) readContent(part, reading);
    return;
  }
  if (!isObject(content)) return;
  const type = content.type;
  if (typeof content.text === 'string') readContent(content.text, reading);
  else if (type === 'image_url' || type === 'input_image' || type === 'image')
    reading.tokens += TOKENS_PER_IMAGE;
  else if (type === 'input_audio') reading.tokens += TOKENS_PER_AUDIO;
  else readContent(content.content, reading);
}

/**
 * The prompt of a chat, of a Responses `input` or of Anthropic's messages: 3 tokens a message and 3 for the answer's
 * start, its texts, images and audio by their flat price, and what else is sent along (tools, instructions) as its JSON.
 */
export function readMessages(messages: unknown, ...besides: readonly unknown[]): Prompt {
  const reading: Reading = { tokens: TOKENS_PER_MESSAGE, lastText: '' };
  for (const one of besides) {
    if (typeof one === 'string') reading.tokens += countTokens(one);
    else if (one !== undefined && one !== null) reading.tokens += countTokens(JSON.stringify(one));
  }
  for (const message of Array.isArray(messages) ? messages : [messages]) {
    reading.tokens += TOKENS_PER_MESSAGE;
    readContent(isObject(message) && 'content' in message ? message.content : message, reading);
  }
  return { tokens: reading.tokens, seed: hashText(reading.lastText) };
}

/**
 * The inputs of `completions`, `embeddings` and `moderations`: a text, texts, an array of tokens or arrays of tokens.
 * One prompt each; undefined if it is none of these.
 */
export function readInputs(input: unknown): readonly Prompt[] | undefined {
  if (typeof input === 'string') return [readText(input)];
  if (!Array.isArray(input) || input.length === 0) return undefined;
  const list: readonly unknown[] = input;
  if (isTokens(input)) return [readTokens(input)];
  const prompts: Prompt[] = [];
  for (const one of list) {
    if (typeof one === 'string') prompts.push(readText(one));
    else if (isTokens(one)) prompts.push(readTokens(one));
    else if (isObject(one)) prompts.push(readMessages(one));
    else return undefined;
  }
  return prompts;
}

function isTokens(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((token) => Number.isSafeInteger(token) && token >= 0)
  );
}

function readText(text: string): Prompt {
  return { tokens: countTokens(text), seed: hashText(text) };
}

function readTokens(tokens: readonly number[]): Prompt {
  return { tokens: tokens.length, seed: hashText(tokens.slice(0, 64).join(' ')) };
}
