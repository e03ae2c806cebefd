import type { AnswerTokens } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { FaultName } from './faults.ts';
import type { Prompt } from './prompt.ts';
import { CHARACTERS_PER_TOKEN, textOf } from './tokens.ts';

/** A text that answers a prompt. */
export interface Generation {
  /** ASCII that JSON need not escape, but for the fault half-events, whose text has characters of four bytes. */
  readonly text: string;
  readonly textTokens: number;
  /** What the usage tells: text and reasoning. */
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  /** The part of the prompt that the usage calls cached. */
  readonly cachedTokens: number;
  /** True if the request's own limit cut the text. */
  readonly truncated: boolean;
  /** The text in the parts that a stream tells it in. */
  readonly pieces: number;
  readonly piece: (index: number) => string;
}

/** 20 MB of text. */
const HUGE_TOKENS = (20 * 1024 * 1024) / CHARACTERS_PER_TOKEN;

/** The text with this index (of `n`) for the prompt, at most `maxTokens` long. */
export function generate(
  { steering }: Exchange,
  prompt: Prompt,
  maxTokens: number | undefined,
  index = 0,
): Generation {
  const fault = steering.fault?.name;
  const wanted = fault === 'huge' ? HUGE_TOKENS : steering.outputTokens;
  const truncated = fault !== 'huge' && maxTokens !== undefined && wanted > maxTokens;
  const textTokens = truncated ? maxTokens : wanted;
  const text = fault === 'half-events' ? '🙂é⇒'.repeat(textTokens) : textOf(prompt.seed + index, textTokens);
  return {
    text,
    textTokens,
    completionTokens: textTokens + steering.reasoningTokens,
    reasoningTokens: steering.reasoningTokens,
    cachedTokens: Math.min(steering.cachedTokens, prompt.tokens),
    truncated,
    ...(fault === 'huge' ? { pieces: 1, piece: () => text } : cut(text)),
  };
}

/** One piece a token. */
export function cut(text: string): Pick<Generation, 'pieces' | 'piece'> {
  return {
    pieces: Math.ceil(text.length / CHARACTERS_PER_TOKEN),
    piece: (i) => text.slice(i * CHARACTERS_PER_TOKEN, (i + 1) * CHARACTERS_PER_TOKEN),
  };
}

/** How the fault at hand has usage told. */
export interface UsageManner {
  readonly absent: boolean;
  /** A smaller one first. */
  readonly twice: boolean;
  readonly afterDone: boolean;
  /** How a number is written into the JSON. */
  readonly number: (tokens: number) => string;
  /** True if the numbers are as they should be. */
  readonly truthful: boolean;
}

const plain = (tokens: number) => `${tokens}`;

const ORDINARY: UsageManner = {
  absent: false,
  twice: false,
  afterDone: false,
  number: plain,
  truthful: true,
};

const MANNERS: { readonly [name in FaultName]?: UsageManner } = {
  'no-usage': { ...ORDINARY, absent: true, truthful: false },
  'usage-twice': { ...ORDINARY, twice: true },
  'usage-after-done': { ...ORDINARY, afterDone: true },
  'usage-negative': { ...ORDINARY, number: (tokens) => `${-tokens - 1}`, truthful: false },
  'usage-nan': { ...ORDINARY, number: () => 'NaN', truthful: false },
  'usage-infinite': { ...ORDINARY, number: () => '1e999', truthful: false },
  'usage-text': { ...ORDINARY, number: (tokens) => `"${tokens}"`, truthful: false },
};

export function usageManner({ steering }: Exchange): UsageManner {
  return (steering.fault && MANNERS[steering.fault.name]) ?? ORDINARY;
}

/** The member `,"usage":{…}` of a JSON answer: none, one or (usage-twice) two of them, of which JSON.parse takes the last. */
export function usageMember(
  manner: UsageManner,
  prompt: number,
  completion: number,
  render: UsageRender,
): string {
  if (manner.absent) return '';
  const right = `,"usage":${render(prompt, completion, manner.number)}`;
  return manner.twice
    ? `,"usage":${render(...preliminary(prompt, completion), manner.number)}${right}`
    : right;
}

export type UsageRender = (prompt: number, completion: number, number: (tokens: number) => string) => string;

/** What a first, hasty usage tells. */
export function preliminary(prompt: number, completion: number): [prompt: number, completion: number] {
  return [prompt, Math.floor(completion / 2)];
}

/** The sums of an answer; `reported` where its usage is told and true. */
export function sums(prompt: number, text: number, completion: number, reported: boolean): AnswerTokens {
  return { prompt, text, completion, reported };
}

/** An integer ≥ 1, undefined where it is absent or null; a string names what is wrong. */
export function readCount(value: unknown, name: string): number | undefined | string {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return `Invalid type for '${name}': expected an integer, but got ${JSON.stringify(value)} instead.`;
  }
  if (value < 1) {
    return `Invalid '${name}': integer below minimum value. Expected a value >= 1, but got ${value} instead.`;
  }
  return value;
}
