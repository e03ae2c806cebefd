/**
 * Above this a token field is nonsense: a hundred times the largest context window that any API offers, and
 * far inside what the limits' arithmetic holds exactly.
 */
const MOST_TOKENS = 1e9;

/** What a `usage` object says. A side that it doesn't give, or gives as nonsense, is undefined. */
export interface ReportedUsage {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  /** At most `inputTokens`; 0 where it isn't said. */
  readonly cachedInputTokens: number;
  /** At most `outputTokens`; 0 where it isn't said. */
  readonly reasoningTokens: number;
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
  const cached =
    cacheReads ??
    tokensIn(usage.prompt_tokens_details, 'cached_tokens') ??
    tokensIn(usage.input_tokens_details, 'cached_tokens') ??
    0;
  const reasoning =
    tokensIn(usage.completion_tokens_details, 'reasoning_tokens') ??
    tokensIn(usage.output_tokens_details, 'reasoning_tokens') ??
    0;
  return {
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: Math.min(cached, input ?? 0),
    reasoningTokens: Math.min(reasoning, output ?? 0),
  };
}
