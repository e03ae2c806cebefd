/**
 * The simulator's own tokenizer: four UTF-16 code units are a token, a rest counts as one. It is nobody's real vocabulary,
 * on purpose: it is stable, costs nothing, and shows at once whether a number was reported by the upstream or counted by
 * the gateway.
 */
export const CHARACTERS_PER_TOKEN = 4;

/** What an image part of a prompt counts (OpenAI's figure for `detail: low` of gpt-4o). */
export const TOKENS_PER_IMAGE = 85;

/** What an audio part of a prompt counts. */
export const TOKENS_PER_AUDIO = 50;

/** Tokens that each chat message costs besides its text, and again once for the answer's start. */
export const TOKENS_PER_MESSAGE = 3;

/** Tokens of a text; 0 for the empty one. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** How much of a text's beginning and end its hash reads. */
const HASHED_EDGE = 256;

/** Three letters and a space: each word is exactly one token, and none needs escaping in JSON. */
const WORDS =
  'the sea was far and low yet all men who had any old map did see one red sun set out top fog ice ran dim hue air now sky new oak elm bay sky owl fox bee cat dog way day end pen ink cup tea jam pie rye hay'.split(
    ' ',
  );

const VARIANTS = 64;
const VARIANT_TOKENS = 1024;

/** `VARIANTS` texts of `VARIANT_TOKENS` tokens each, made once. The first word of an answer has four letters. */
const TEXTS: readonly string[] = Array.from({ length: VARIANTS }, (_, variant) => {
  let state = hashText(`variant ${variant}`);
  let text = '';
  for (let token = 0; token < VARIANT_TOKENS; token++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += ` ${WORDS[(state >>> 8) % WORDS.length] ?? 'the'}`;
  }
  return text;
});

const OPENINGS = ['Here', 'Once', 'Then', 'When', 'Well', 'Sure', 'Fine', 'Good'];

/**
 * A text of exactly `tokens` tokens (4 · tokens ASCII characters, nothing that JSON escapes), the same for the same seed.
 * Each slice of four characters is one token.
 */
export function textOf(seed: number, tokens: number): string {
  if (tokens <= 0) return '';
  const opening = OPENINGS[(seed >>> 6) % OPENINGS.length] ?? 'Here';
  const variant = TEXTS[seed % VARIANTS] ?? '';
  const length = (tokens - 1) * CHARACTERS_PER_TOKEN;
  if (length <= variant.length) return opening + variant.slice(0, length);
  return opening + variant.repeat(Math.ceil(length / variant.length)).slice(0, length);
}

/**
 * A 32-bit FNV-1a hash of a text's first and last 256 code units and of its length: enough to choose an answer, and as
 * cheap for a prompt of megabytes as for a short one.
 */
export function hashText(text: string): number {
  let hash = 0x811c9dc5 ^ text.length;
  const head = Math.min(text.length, HASHED_EDGE);
  for (let i = 0; i < head; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  for (let i = Math.max(head, text.length - HASHED_EDGE); i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** 32 hexadecimal digits from a seed, for ids that are the same whenever the same prompt comes. */
export function idOf(seed: number): string {
  let state = seed >>> 0;
  let id = '';
  for (let i = 0; i < 4; i++) {
    id += state.toString(16).padStart(8, '0');
    state = (Math.imul(state ^ 0x9e3779b9, 1_664_525) + 1_013_904_223) >>> 0;
  }
  return id;
}
