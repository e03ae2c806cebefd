import { countTokens } from './count.ts';
import type { EncodingName } from './encoding.ts';
import { fieldOf, isArray, isObject, type JsonObject } from './json-value.ts';
import { countRepeated } from './repeated-text.ts';

/** Characters of a sample that stands for a text too long to count, and how many samples are taken. */
const SAMPLE_CHARS = 2048;
const SAMPLES = 4;

/** Estimates a long text's tokens from samples spread evenly over it. */
export function estimateTokens(text: string, encoding: EncodingName): number {
  if (text.length <= SAMPLES * SAMPLE_CHARS) return countTokens(text, encoding);
  let tokens = 0;
  for (let i = 0; i < SAMPLES; i++) {
    const from = Math.floor(((text.length - SAMPLE_CHARS) * i) / (SAMPLES - 1));
    tokens += countTokens(text.slice(from, from + SAMPLE_CHARS), encoding);
  }
  return Math.ceil((tokens * text.length) / (SAMPLES * SAMPLE_CHARS));
}

/** Adds up the tokens of one call's input. */
export class PromptTally {
  /** Tokens so far. */
  tokens = 0;
  /** False once something was added whose tokens are only guessed: media, or text beyond what is counted. */
  exact = true;

  readonly #encoding: EncodingName;
  #charsLeft: number;

  /** Counts the first `maxChars` characters of text and estimates the rest. */
  constructor(encoding: EncodingName, maxChars: number) {
    this.#encoding = encoding;
    this.#charsLeft = maxChars;
  }

  /** Adds tokens that are known without a text, e.g. what a message costs by itself. */
  add(tokens: number): void {
    this.tokens += tokens;
  }

  /** Adds a guess. */
  guess(tokens: number): void {
    this.tokens += Math.ceil(tokens);
    this.exact = false;
  }

  /** Adds a text's tokens; anything but a string adds nothing. */
  text(value: unknown): void {
    if (typeof value !== 'string' || value.length === 0) return;
    if (value.length <= this.#charsLeft) {
      this.#charsLeft -= value.length;
      this.tokens += countRepeated(value, this.#encoding);
    } else {
      // What little is left stays for the short texts to come.
      this.guess(estimateTokens(value, this.#encoding));
    }
  }

  /** Adds a value as compact JSON: how models are shown tools and schemas, near enough. */
  json(value: unknown): void {
    if (value === undefined || value === null) return;
    let text: string;
    try {
      text = JSON.stringify(value);
    } catch {
      // Nested too deeply for the stack.
      this.everyText(value);
      return;
    }
    this.text(text);
  }

  /** Adds every string anywhere in a value of unknown shape, names of fields left out. */
  everyText(value: unknown): void {
    const waiting: unknown[] = [value];
    while (waiting.length > 0) {
      const next = waiting.pop();
      if (typeof next === 'string') {
        if (isDataUrl(next)) this.guess(next.length / DATA_CHARS_PER_TOKEN);
        else this.text(next);
      } else if (isArray(next)) {
        for (const each of next) waiting.push(each);
      } else if (isObject(next)) {
        for (const name of Object.keys(next)) waiting.push(next[name]);
      }
    }
  }
}

/** Of media that nothing else is known about: about a kilobyte of base64 to 20 tokens, an image of 50 KB to some 1,000. */
const DATA_CHARS_PER_TOKEN = 64;

/** A `data:` URL (RFC 2397) holds bytes, not text: it is never counted as text. */
function isDataUrl(text: string): boolean {
  return text.startsWith('data:') && /^data:[\w.+/-]{0,100}(?:;[^,]{0,200})?,/i.test(text.slice(0, 400));
}

/** Calls `each` for every object of the array `owner[name]`. */
export function eachObject(owner: unknown, name: string, each: (item: JsonObject) => void): void {
  const items = fieldOf(owner, name);
  if (!isArray(items)) return;
  for (const item of items) if (isObject(item)) each(item);
}
