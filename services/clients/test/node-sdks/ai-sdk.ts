import { readFile } from 'node:fs/promises';
import { createOpenAI, type OpenAIProvider } from '@ai-sdk/openai';
import {
  APICallError,
  embed,
  generateText,
  type LanguageModel,
  RetryError,
  streamText,
  transcribe,
} from 'ai';
import { z } from 'zod';
import { type Call, type Client, collect, type Failure, plainFailure } from '../client.ts';
import { EMBEDDING_MODEL, MODEL } from './shapes.ts';

function provider(call: Call): OpenAIProvider {
  return createOpenAI({ apiKey: call.key, baseURL: `${call.url}/v1`, headers: { ...call.headers } });
}

function settings(call: Call) {
  return {
    prompt: call.prompt,
    ...(call.maxRetries === undefined ? {} : { maxRetries: call.maxRetries }),
    ...(call.maxTokens === undefined ? {} : { maxOutputTokens: call.maxTokens }),
  };
}

const ErrorBody = z.object({ error: z.object({ type: z.string().nullish(), code: z.string().nullish() }) });

/** An error that ended several tries hides the last one's. */
function explain(error: unknown): Failure {
  const last = RetryError.isInstance(error) ? error.lastError : error;
  if (!APICallError.isInstance(last)) return plainFailure(last);
  const body = ErrorBody.safeParse(last.data);
  const headers = last.responseHeaders ?? {};
  return {
    // It has one class for every answer of the API.
    isRateLimit: last.statusCode === 429,
    name: last.name,
    message: last.message,
    status: last.statusCode,
    type: body.data?.error.type,
    code: body.data?.error.code,
    requestId: headers['x-request-id'],
    headers,
  };
}

/** A failure is given to its caller; the SDK would write it to the console besides. */
const quietly = { onError: () => {} };

function client(
  name: string,
  api: Client['api'],
  asksUsage: Client['asksUsage'],
  model: (call: Call) => LanguageModel,
): Client {
  return {
    name,
    api,
    retrying: 'regardless',
    asksUsage,
    ask: (call) =>
      collect(async (into) => {
        const { text, usage, finishReason, response } = await generateText({
          model: model(call),
          ...settings(call),
        });
        into.totalTokens = usage.totalTokens;
        into.requestId = response.headers?.['x-request-id'];
        into.add({ text, usage, finishReason }, text);
      }, explain),
    stream: (call) =>
      collect(async (into) => {
        const { fullStream } = streamText({ model: model(call), ...settings(call), ...quietly });
        for await (const part of fullStream) {
          if (part.type === 'error') throw part.error;
          if (part.type === 'text-delta') into.add({ type: part.type, text: part.text }, part.text);
          if (part.type !== 'finish') continue;
          into.totalTokens = part.totalUsage.totalTokens;
          into.add({ type: part.type, usage: part.totalUsage, reason: part.finishReason }, undefined);
        }
      }, explain),
  };
}

/** The AI SDK on chat completions. Its streams always ask for the usage chunk. */
export const aiSdk: Client = {
  ...client('ai 7.0.173', 'chat', 'always', (call) => provider(call).chat(MODEL)),
  embed: {
    formats: ['default'],
    run: (call) =>
      collect(async (into) => {
        const model = provider(call).embedding(EMBEDDING_MODEL);
        const { embedding, usage } = await embed({ model, value: call.prompt });
        into.add({ embedding, usage }, undefined);
      }, explain),
  },
  uploads: {
    transcribe: (call, path) =>
      collect(async (into) => {
        const model = provider(call).transcription('whisper-1');
        const { text } = await transcribe({ model, audio: await readFile(path) });
        into.add({ text }, undefined);
      }, explain),
  },
};

/** The AI SDK on responses, which it uses unless told otherwise. */
export const aiSdkResponses: Client = client('ai 7.0.173, responses', 'responses', 'no such thing', (call) =>
  provider(call)(MODEL),
);
