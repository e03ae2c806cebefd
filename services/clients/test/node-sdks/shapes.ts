/** The parts of the API's answers that tests look into. */
import { z } from 'zod';

/** The models that calls name. The stand-in answers to any name. */
export const MODEL = 'gpt-4o-mini';
export const EMBEDDING_MODEL = 'text-embedding-3-small';

const Usage = z.object({ total_tokens: z.number() });

/** An answer of chat/completions. */
export const ChatAnswer = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })),
  usage: Usage.nullish(),
  _request_id: z.string().nullish(),
});

/** An event of a stream of chat/completions. */
export const ChatChunk = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string().nullish() }) })),
  usage: Usage.nullish(),
});

/** An answer of responses. */
export const ResponseAnswer = z.object({
  output_text: z.string(),
  usage: Usage.nullish(),
  _request_id: z.string().nullish(),
});

/** An event of a stream of responses. */
export const ResponseEvent = z.object({
  type: z.string(),
  delta: z.string().optional(),
  response: z.object({ usage: Usage.nullish() }).optional(),
});

/** Whether a value is a stream of events. */
function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** The stream of events that an SDK gave; throws if it gave something else. */
export function events(value: unknown): AsyncIterable<unknown> {
  if (!isIterable(value)) throw new Error('The SDK gave no stream.');
  return value;
}

/** All bytes of a stream. */
export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
