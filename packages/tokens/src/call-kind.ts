/**
 * The calls whose tokens are metered, by what their request and answer look like: OpenAI's chat completions,
 * completions, embeddings and responses, and Anthropic's messages.
 */
export type CallKind = 'chat' | 'completion' | 'embedding' | 'response' | 'message';
