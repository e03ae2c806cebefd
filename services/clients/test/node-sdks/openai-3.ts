import { createReadStream } from 'node:fs';
import { readSse } from '@nexus/testkit';
import { Configuration, OpenAIApi } from 'openai-3';
import { z } from 'zod';
import { type Call, type Client, collect, type Failure, headersOf, plainFailure } from '../client.ts';
import { bytesOf, ChatAnswer, ChatChunk, EMBEDDING_MODEL, MODEL } from './shapes.ts';

function api(call: Call): OpenAIApi {
  const configuration = new Configuration({
    apiKey: call.key,
    basePath: `${call.url}/v1`,
    // Version 0.26 of axios takes a proxy of the environment even for loopback addresses.
    baseOptions: { headers: call.headers ?? {}, proxy: false, maxBodyLength: Infinity },
  });
  return new OpenAIApi(configuration);
}

function body(call: Call, stream: boolean) {
  return {
    model: MODEL,
    messages: [{ role: 'user' as const, content: call.prompt }],
    ...(call.maxTokens === undefined ? {} : { max_tokens: call.maxTokens }),
    ...(stream ? { stream } : {}),
    ...(call.includeUsage ? { stream_options: { include_usage: true } } : {}),
  };
}

const AxiosFailure = z.object({
  message: z.string(),
  response: z.object({
    status: z.number(),
    headers: z.unknown(),
    data: z.object({
      error: z.object({ message: z.string(), type: z.string(), code: z.string().nullish() }),
    }),
  }),
});

/** An error that the API tells in the middle of a stream, as a program has to find it by itself. */
class StreamedError extends Error {
  override readonly name = 'StreamedError';
}

/** What was raised, the body read where the call asked for a stream. */
async function whole(error: unknown): Promise<unknown> {
  const parsed = z
    .object({ message: z.string(), response: z.record(z.string(), z.unknown()) })
    .safeParse(error);
  const data = parsed.data?.response.data;
  if (!parsed.success || !isBytes(data)) return error;
  const body = (await bytesOf(data)).toString();
  return { ...parsed.data, response: { ...parsed.data.response, data: JSON.parse(body) } };
}

function explain(error: unknown): Failure {
  const parsed = AxiosFailure.safeParse(error);
  if (!parsed.success) return plainFailure(error);
  const { status, data } = parsed.data.response;
  const headers = headersOf(parsed.data.response.headers);
  const { message, type, code } = data.error;
  return {
    // It has no class of its own for a 429: programs look at the status.
    isRateLimit: status === 429,
    name: error instanceof Error ? error.constructor.name : 'unknown',
    message,
    status,
    type,
    code,
    requestId: headers['x-request-id'],
    headers,
  };
}

/** openai-node 3.3.0, the last one on axios: no retries, and streams by hand. */
export const openai3: Client = {
  name: 'openai 3.3.0',
  api: 'chat',
  retrying: 'never',
  asksUsage: 'if told',
  ask: (call) =>
    collect(async (into) => {
      const { data, headers } = await api(call).createChatCompletion(body(call, false));
      const answer = ChatAnswer.parse(data);
      into.totalTokens = answer.usage?.total_tokens;
      into.requestId = headersOf(headers)['x-request-id'];
      into.add(data, answer.choices[0]?.message.content);
    }, explain),
  stream: (call) =>
    collect(async (into) => {
      const answer = api(call).createChatCompletion(body(call, true), { responseType: 'stream' });
      const { data } = await answer.catch(async (error) => Promise.reject(await whole(error)));
      const bytes: unknown = data;
      if (!isBytes(bytes)) throw new Error('The answer is no stream.');
      for await (const event of readSse(bytes)) {
        if (event.data === undefined || event.data === '[DONE]') continue;
        const seen: unknown = JSON.parse(event.data);
        if (z.object({ error: z.unknown() }).safeParse(seen).success) throw new StreamedError(event.data);
        const chunk = ChatChunk.parse(seen);
        into.totalTokens = chunk.usage?.total_tokens ?? into.totalTokens;
        into.add(seen, chunk.choices[0]?.delta.content);
      }
    }, explain),
  embed: {
    formats: ['default'],
    run: (call) =>
      collect(async (into) => {
        const { data } = await api(call).createEmbedding({ model: EMBEDDING_MODEL, input: call.prompt });
        into.add(data, undefined);
      }, explain),
  },
  uploads: {
    'files.create': (call, path) =>
      collect(async (into) => {
        const file: unknown = createReadStream(path);
        into.add((await api(call).createFile(asFile(file), 'fine-tune')).data, undefined);
      }, explain),
    'audio.transcriptions': (call, path) =>
      collect(async (into) => {
        const file: unknown = createReadStream(path);
        into.add((await api(call).createTranscription(asFile(file), 'whisper-1')).data, undefined);
      }, explain),
  },
};

function isBytes(value: unknown): value is AsyncIterable<Uint8Array> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

type UploadedFile = Parameters<OpenAIApi['createFile']>[0];

/** Its types ask for a browser's File; in Node it takes a stream that has a path. */
function asFile(stream: unknown): UploadedFile {
  if (!isUpload(stream)) throw new Error('This is no file.');
  return stream;
}

function isUpload(value: unknown): value is UploadedFile {
  return typeof value === 'object' && value !== null && 'path' in value;
}
