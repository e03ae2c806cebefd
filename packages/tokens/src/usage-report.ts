import type { InputParts, OutputParts } from '@nexus/domain';

/**
 * Above this a token field is nonsense: a hundred times the largest context window that any API offers, and
 * far inside what the limits' arithmetic holds exactly.
 */
const MOST_TOKENS = 1e9;
/** Above this a number of searches is nonsense: APIs run some ten for an answer. */
const MOST_SEARCHES = 10_000;

/** What a `usage` object says. A side that it doesn't give, or gives as nonsense, is undefined. */
export interface ReportedUsage {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  /** At most `inputTokens`; 0 where it isn't said. */
  readonly cachedInputTokens: number;
  /** At most `outputTokens`; 0 where it isn't said. */
  readonly reasoningTokens: number;
  /** Undefined where it tells of none. Each at most its whole. */
  readonly inputParts: InputParts | undefined;
  /** Undefined where it tells of none. Tokens at most their whole. */
  readonly outputParts: OutputParts | undefined;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The field as a finite integer ≥ 0, fractions rounded up; undefined for anything that can't be a number of
 * tokens.
 */
function tokensIn(from: unknown, field: string): number | undefined {
  if (!isObject(from)) return undefined;
  const value = from[field];
  if (typeof value !== 'number' || !(value >= 0 && value <= MOST_TOKENS)) return undefined;
  return Math.ceil(value) + 0; // no -0
}

/** The first of the objects that is one: the details of a side have several names. */
function detailsIn(usage: JsonObject, ...fields: readonly string[]): JsonObject | undefined {
  for (const field of fields) {
    const details = usage[field];
    if (isObject(details)) return details;
  }
  return undefined;
}

/**
 * What the input was besides plain text: OpenAI's `prompt_tokens_details`, `input_tokens_details` and (transcriptions,
 * realtime) `input_token_details`, and Anthropic's `cache_creation`.
 */
function readInputParts(
  usage: JsonObject,
  details: JsonObject | undefined,
  input: number,
): InputParts | undefined {
  const written1h = tokensIn(usage.cache_creation, 'ephemeral_1h_input_tokens') ?? 0;
  const written =
    tokensIn(usage, 'cache_creation_input_tokens') ??
    tokensIn(details, 'cache_write_tokens') ??
    written1h + (tokensIn(usage.cache_creation, 'ephemeral_5m_input_tokens') ?? 0);
  const audio = tokensIn(details, 'audio_tokens') ?? 0;
  const image = tokensIn(details, 'image_tokens') ?? 0;
  if (written === 0 && audio === 0 && image === 0) return undefined;
  const cached = details?.cached_tokens_details;
  const cacheWriteTokens = Math.min(written, input);
  const audioTokens = Math.min(audio, input);
  const imageTokens = Math.min(image, input);
  return {
    cacheWriteTokens,
    cacheWrite1hTokens: Math.min(written1h, cacheWriteTokens),
    audioTokens,
    cachedAudioTokens: Math.min(tokensIn(cached, 'audio_tokens') ?? 0, audioTokens),
    imageTokens,
    cachedImageTokens: Math.min(tokensIn(cached, 'image_tokens') ?? 0, imageTokens),
  };
}

/** What the output was besides text, and the searches that Anthropic ran for it (`server_tool_use`). */
function readOutputParts(
  usage: JsonObject,
  details: JsonObject | undefined,
  output: number,
): OutputParts | undefined {
  const audio = tokensIn(details, 'audio_tokens') ?? 0;
  const image = tokensIn(details, 'image_tokens') ?? 0;
  const searches = tokensIn(usage.server_tool_use, 'web_search_requests') ?? 0;
  if (audio === 0 && image === 0 && searches === 0) return undefined;
  return {
    audioTokens: Math.min(audio, output),
    imageTokens: Math.min(image, output),
    webSearches: Math.min(searches, MOST_SEARCHES),
  };
}

/**
 * Reads a `usage` object of any of the APIs: `prompt_tokens` / `completion_tokens` (chat, completions,
 * embeddings), `input_tokens` / `output_tokens` (responses, images, transcriptions), and Anthropic's, where
 * `input_tokens` leaves out what was written to and read from the cache. Undefined if it gives neither side.
 */
export function readUsage(usage: unknown): ReportedUsage | undefined {
  if (!isObject(usage)) return undefined;
  const plainInput = tokensIn(usage, 'prompt_tokens') ?? tokensIn(usage, 'input_tokens');
  const cacheWrites = tokensIn(usage, 'cache_creation_input_tokens');
  const cacheReads = tokensIn(usage, 'cache_read_input_tokens');
  let input = plainInput;
  if (cacheWrites !== undefined || cacheReads !== undefined) {
    // Some gateways send Anthropic's cache fields beside prompt_tokens, which holds them already.
    const holdsThem = tokensIn(usage, 'prompt_tokens') !== undefined;
    if (!holdsThem) input = (plainInput ?? 0) + (cacheWrites ?? 0) + (cacheReads ?? 0);
  }
  let output = tokensIn(usage, 'completion_tokens') ?? tokensIn(usage, 'output_tokens');
  const total = tokensIn(usage, 'total_tokens');
  if (total !== undefined) {
    // Embeddings give no output, and some upstreams leave out a side that is 0.
    if (input === undefined) input = Math.max(0, total - (output ?? 0));
    output ??= Math.max(0, total - input);
  }
  if (input === undefined && output === undefined) return undefined;
  const inputDetails = detailsIn(
    usage,
    'prompt_tokens_details',
    'input_tokens_details',
    'input_token_details',
  );
  const outputDetails = detailsIn(
    usage,
    'completion_tokens_details',
    'output_tokens_details',
    'output_token_details',
  );
  const cached = cacheReads ?? tokensIn(inputDetails, 'cached_tokens') ?? 0;
  const reasoning = tokensIn(outputDetails, 'reasoning_tokens') ?? 0;
  return {
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: Math.min(cached, input ?? 0),
    reasoningTokens: Math.min(reasoning, output ?? 0),
    inputParts: readInputParts(usage, inputDetails, input ?? 0),
    outputParts: readOutputParts(usage, outputDetails, output ?? 0),
  };
}
