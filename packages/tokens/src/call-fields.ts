import { GatewayError } from '@nexus/domain';
import { askUsage, type Splice } from './ask-usage.ts';
import { answersText, type CallKind } from './call-kind.ts';
import { fieldOf, isArray, type JsonObject, textField } from './json-value.ts';
import type { Span, TopLevelScan } from './top-level-scan.ts';

/** What admission needs of a metered call. */
export interface CallReading {
  /** As the call names it; a moderation that names none has OpenAI's default. */
  readonly model: string | undefined;
  /** It asks for a stream of events: by `stream`, speech by `stream_format`. */
  readonly stream: boolean;
  /** Finite, an integer ≥ 0. */
  readonly inputTokens: number;
  /** `estimated` once any part of it was: media, text beyond what is counted, or a body that wasn't read as JSON. */
  readonly inputSource: 'counted' | 'estimated';
  /** Answers or images asked for: the larger of `n` and `best_of`, for each prompt of a completion. 1 to 2^31. */
  readonly choices: number;
  /**
   * The larger of `max_tokens`, `max_completion_tokens` and `max_output_tokens`, for each choice; 0 to 2^31. Undefined
   * where the call states none, or only what is no number or below 0 (which some upstreams read as "no bound"), and in calls
   * whose answer is no text: nothing there obeys these fields.
   */
  readonly statedOutputTokens: number | undefined;
  /** The end user as the body names it: `user`, and its newer name. */
  readonly user: string | undefined;
  readonly safetyIdentifier: string | undefined;
  /** The one splice that asks for the usage chunk: chat and completion streams whose body doesn't ask. */
  readonly askUsage: Splice | undefined;
}

/** The fields that admission looks at: each may stand in the body once. */
export const METERED_FIELDS: ReadonlySet<string> = new Set([
  'model',
  'stream',
  'stream_options',
  'stream_format',
  'n',
  'best_of',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'messages',
  'input',
  'prompt',
  'query',
  'documents',
  'system',
  'tools',
  'functions',
  'instructions',
]);

/** Those, and the fields that name the end user. */
export const NAMED_FIELDS: ReadonlySet<string> = new Set([...METERED_FIELDS, 'user', 'safety_identifier']);

/** No call asks for more; adding and multiplying a few of these stays exact. */
const LARGEST = 2 ** 31;

/** A stated amount, as an integer between 0 and 2^31; undefined if it is no number or below 0. JSON's 1e999 is Infinity. */
function amountOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? Math.min(Math.ceil(value), LARGEST) : undefined;
}

/** OpenAI's API reference, moderations, `model`. */
const DEFAULT_MODERATION = 'omni-moderation-latest';

/** The model of a call. */
export function modelOf(kind: CallKind, call: JsonObject): string | undefined {
  const isDefault = kind === 'moderation' && (!Object.hasOwn(call, 'model') || call.model === null);
  return isDefault ? DEFAULT_MODERATION : textField(call, 'model');
}

/** Whether a call asks for a stream of events. */
export function asksStream(kind: CallKind, call: JsonObject): boolean {
  return call.stream === true || (kind === 'speech' && call.stream_format === 'sse');
}

/** The larger of the three ways to state a bound: whichever the upstream obeys, the hold covers it. */
export function statedOutputTokens(kind: CallKind, call: JsonObject): number | undefined {
  if (!answersText(kind)) return undefined;
  return larger(
    larger(amountOf(call.max_tokens), amountOf(call.max_completion_tokens)),
    amountOf(call.max_output_tokens),
  );
}

function larger(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || (other !== undefined && other > one) ? other : one;
}

/** How many answers a call asks for. */
export function choicesOf(kind: CallKind, call: JsonObject): number {
  if (kind !== 'chat' && kind !== 'completion' && kind !== 'image') return 1;
  let choices = Math.max(1, amountOf(call.n) ?? 1);
  if (kind === 'completion') {
    choices = Math.max(choices, amountOf(call.best_of) ?? 1) * promptsOf(fieldOf(call, 'prompt'));
  }
  return Math.min(choices, LARGEST);
}

/** A completion answers each prompt of an array; an array of tokens is one prompt. */
function promptsOf(prompt: unknown): number {
  return isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(1, prompt.length) : 1;
}

/** Whether the usage chunk can be asked for: in the streams of these calls. */
export function canAskUsage(kind: CallKind, stream: boolean): boolean {
  return stream && (kind === 'chat' || kind === 'completion');
}

/** The splice for a body whose `{` and `stream_options` stand there, if it is a stream that has one. */
export function usageSplice(
  kind: CallKind,
  stream: boolean,
  body: Buffer,
  open: number,
  options: Span | undefined,
): Splice | undefined {
  if (!canAskUsage(kind, stream)) return undefined;
  const splice = askUsage(body, open, options);
  if (splice === 'duplicate') throw twice('stream_options.include_usage');
  return splice;
}

/** Refuses a body in which a metered field stands twice. */
export function refuseDuplicates(scan: TopLevelScan): void {
  if (scan.duplicate !== undefined) throw twice(scan.duplicate);
}

function twice(name: string): GatewayError {
  return invalidBody(`The request body names \`${name}\` more than once. Name each field once.`);
}

export function invalidBody(message: string): GatewayError {
  return new GatewayError('invalid_body', { message });
}

export const EMPTY_BODY = 'The request body is empty. Send the call as a JSON object.';
export const NOT_JSON = 'The request body is not valid JSON. Send the call as a JSON object in UTF-8.';
export const NOT_AN_OBJECT =
  'The request body is JSON, but not an object. Send the call as a JSON object: {…}.';
