import { createReadStream } from 'node:fs';
import Anthropic from '@anthropic-ai/sdk';
import { type Call, type Client, collect, type Failure, headersOf, plainFailure } from '../client.ts';

const MODEL = 'claude-sonnet-4-5';

function create(call: Call): Anthropic {
  return new Anthropic({
    apiKey: call.key,
    baseURL: call.url,
    defaultHeaders: { ...call.headers },
    ...(call.maxRetries === undefined ? {} : { maxRetries: call.maxRetries }),
  });
}

function body(call: Call) {
  const messages = [{ role: 'user' as const, content: call.prompt }];
  return { model: MODEL, max_tokens: call.maxTokens ?? 64, messages };
}

function explain(error: unknown): Failure {
  if (!(error instanceof Anthropic.APIError)) return plainFailure(error);
  const { status, message, type, requestID, headers } = error;
  return {
    isRateLimit: error instanceof Anthropic.RateLimitError,
    name: error.constructor.name,
    message,
    status,
    type,
    requestId: requestID,
    headers: headersOf(headers),
  };
}

/** Anthropic's TypeScript SDK. It sends its key as `x-api-key`. */
export const anthropic: Client = {
  name: '@anthropic-ai/sdk 1.12.0',
  api: 'messages',
  retrying: 'as told',
  asksUsage: 'no such thing',
  ask: (call) =>
    collect(async (into) => {
      const answer = await create(call).messages.create(body(call));
      const [block] = answer.content;
      into.totalTokens = answer.usage.input_tokens + answer.usage.output_tokens;
      into.requestId = answer._request_id;
      into.add(answer, block?.type === 'text' ? block.text : undefined);
    }, explain),
  stream: (call) =>
    collect(async (into) => {
      const stream = await create(call).messages.create({ ...body(call), stream: true });
      let inputTokens = 0;
      for await (const event of stream) {
        if (event.type === 'message_start') inputTokens = event.message.usage.input_tokens;
        if (event.type === 'message_delta') into.totalTokens = inputTokens + event.usage.output_tokens;
        const delta = event.type === 'content_block_delta' ? event.delta : undefined;
        into.add(event, delta?.type === 'text_delta' ? delta.text : undefined);
      }
    }, explain),
  uploads: {
    'beta.files.upload': (call, path) =>
      collect(async (into) => {
        into.add(await create(call).beta.files.upload({ file: createReadStream(path) }), undefined);
      }, explain),
  },
};
