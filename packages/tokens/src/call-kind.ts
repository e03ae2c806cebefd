/**
 * The calls whose tokens are metered, by what their request and answer look like: OpenAI's chat completions,
 * completions, embeddings, responses, images/generations, audio/speech and moderations, Anthropic's messages, and the rerank of
 * Cohere, Jina and vLLM.
 */
export type CallKind =
  | 'chat'
  | 'completion'
  | 'embedding'
  | 'response'
  | 'message'
  | 'image'
  | 'speech'
  | 'moderation'
  | 'rerank';

const TEXT_KINDS: ReadonlySet<string> = new Set<CallKind>(['chat', 'completion', 'response', 'message']);

/** Whether a call is answered with text of the model, which can be counted. */
export function answersText(kind: CallKind | 'other'): boolean {
  return TEXT_KINDS.has(kind);
}

/**
 * Whether the answer to a call can have output tokens: text and images have them; speech tells of them in streams alone
 * (OpenAI's API reference, `speech.audio.done`), for an answer of mere audio has no usage.
 */
export function hasOutput(kind: CallKind, stream: boolean): boolean {
  return answersText(kind) || kind === 'image' || (kind === 'speech' && stream);
}
