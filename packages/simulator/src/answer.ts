import type { Verdict } from './limits.ts';

/** When every answer was made: a fixed time, so that the same request gives the same bytes. 2026-01-01. */
export const CREATED = 1_767_225_600;

/** Tokens of one answer, as the sums of `usageServed` take them. */
export interface AnswerTokens {
  readonly prompt: number;
  /** Carried by the answer's text. */
  readonly text: number;
  /** What its usage tells: the text and what was thought besides. */
  readonly completion: number;
  /** True where the answer tells a truthful usage. */
  readonly reported: boolean;
}

/** An answer that is there as a whole. */
export interface WholeAnswer {
  readonly kind: 'whole';
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer;
  /** Further headers: name, value, name, value… */
  readonly headers?: readonly string[];
  readonly tokens?: AnswerTokens;
  /** What its limit headers show, where that isn't what the tier said. */
  readonly verdict?: Verdict;
}

/** An answer told event by event. Each string is one whole event with its blank line. */
export interface EventAnswer {
  readonly kind: 'events';
  /** Events before the first token. */
  readonly before: readonly string[];
  /** How many events carry text. */
  readonly pieces: number;
  /** The event of the piece with this index (0 ≤ index < pieces). */
  readonly piece: (index: number) => string;
  /** Finish, usage, end. They go out together. */
  readonly after: readonly string[];
  /** An event that tells of an error after so many pieces, in this API's form. */
  readonly error: (pieces: number) => string;
  /** All of `pieces` together carry `tokens.text`. */
  readonly tokens: AnswerTokens;
}

export type Answer = WholeAnswer | EventAnswer;

export function json(status: number, body: string, tokens?: AnswerTokens): WholeAnswer {
  const answer: WholeAnswer = { kind: 'whole', status, contentType: 'application/json', body };
  return tokens === undefined ? answer : { ...answer, tokens };
}
