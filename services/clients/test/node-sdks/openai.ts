import { createReadStream, type ReadStream } from 'node:fs';
import OpenAI4 from 'openai-4';
import OpenAI7 from 'openai-7';
import {
  type Call,
  type Client,
  type Collected,
  collect,
  type Failure,
  headersOf,
  plainFailure,
} from '../client.ts';
import {
  ChatAnswer,
  ChatChunk,
  EMBEDDING_MODEL,
  events,
  MODEL,
  ResponseAnswer,
  ResponseEvent,
} from './shapes.ts';

/** What versions 4 and 7 have in common, as far as the tests use it. */
interface OpenAI {
  readonly chat: { readonly completions: { create(body: ChatBody): PromiseLike<unknown> } };
  readonly responses: { create(body: ResponseBody): PromiseLike<unknown> };
  readonly embeddings: { create(body: EmbeddingBody): PromiseLike<unknown> };
  readonly files: { create(body: { file: ReadStream; purpose: 'fine-tune' }): PromiseLike<unknown> };
  readonly audio: {
    readonly transcriptions: { create(body: { file: ReadStream; model: string }): PromiseLike<unknown> };
  };
}

interface ChatBody {
  model: string;
  messages: { role: 'user'; content: string }[];
  max_tokens?: number;
  stream?: boolean;
  stream_options?: { include_usage: boolean };
}

interface ResponseBody {
  model: string;
  input: string;
  max_output_tokens?: number;
  stream?: boolean;
}

interface EmbeddingBody {
  model: string;
  input: string;
  encoding_format?: 'float' | 'base64';
}

interface Version {
  readonly version: string;
  create(call: Call): OpenAI;
  explain(error: unknown): Failure;
}

function options(call: Call) {
  return {
    apiKey: call.key,
    baseURL: `${call.url}/v1`,
    defaultHeaders: { ...call.headers },
    ...(call.maxRetries === undefined ? {} : { maxRetries: call.maxRetries }),
  };
}

const version4: Version = {
  version: '4.104.0',
  create: (call) => new OpenAI4(options(call)),
  explain: (error) => {
    if (!(error instanceof OpenAI4.APIError)) return plainFailure(error);
    const { status, message, code, type, request_id, headers } = error;
    return {
      isRateLimit: error instanceof OpenAI4.RateLimitError,
      name: error.constructor.name,
      message,
      status,
      code,
      type,
      requestId: request_id,
      headers: headersOf(headers),
    };
  },
};

const version7: Version = {
  version: '7.57.0',
  create: (call) => new OpenAI7(options(call)),
  explain: (error) => {
    if (!(error instanceof OpenAI7.APIError)) return plainFailure(error);
    const { status, message, code, type, requestID, headers } = error;
    return {
      isRateLimit: error instanceof OpenAI7.RateLimitError,
      name: error.constructor.name,
      message,
      status,
      code,
      type,
      requestId: requestID,
      headers: headersOf(headers),
    };
  },
};

function chatBody(call: Call): ChatBody {
  const body: ChatBody = { model: MODEL, messages: [{ role: 'user', content: call.prompt }] };
  return call.maxTokens === undefined ? body : { ...body, max_tokens: call.maxTokens };
}

function responseBody(call: Call): ResponseBody {
  const body: ResponseBody = { model: MODEL, input: call.prompt };
  return call.maxTokens === undefined ? body : { ...body, max_output_tokens: call.maxTokens };
}

async function askChat(api: OpenAI, call: Call, into: Collected): Promise<void> {
  const seen = await api.chat.completions.create(chatBody(call));
  const answer = ChatAnswer.parse(seen);
  into.totalTokens = answer.usage?.total_tokens;
  into.requestId = answer._request_id;
  into.add(seen, answer.choices[0]?.message.content);
}

async function streamChat(api: OpenAI, call: Call, into: Collected): Promise<void> {
  const asked = call.includeUsage ? { stream_options: { include_usage: true } } : {};
  const stream = events(await api.chat.completions.create({ ...chatBody(call), stream: true, ...asked }));
  for await (const seen of stream) {
    const chunk = ChatChunk.parse(seen);
    into.totalTokens = chunk.usage?.total_tokens ?? into.totalTokens;
    into.add(seen, chunk.choices[0]?.delta.content);
  }
}

async function askResponses(api: OpenAI, call: Call, into: Collected): Promise<void> {
  const seen = await api.responses.create(responseBody(call));
  const answer = ResponseAnswer.parse(seen);
  into.totalTokens = answer.usage?.total_tokens;
  into.requestId = answer._request_id;
  into.add(seen, answer.output_text);
}

async function streamResponses(api: OpenAI, call: Call, into: Collected): Promise<void> {
  const stream = events(await api.responses.create({ ...responseBody(call), stream: true }));
  for await (const seen of stream) {
    const event = ResponseEvent.parse(seen);
    into.totalTokens = event.response?.usage?.total_tokens ?? into.totalTokens;
    into.add(seen, event.type === 'response.output_text.delta' ? event.delta : undefined);
  }
}

/** A version's calls of chat completions, and what else it has. */
function chat({ version, create, explain }: Version): Client {
  return {
    name: `openai ${version}`,
    api: 'chat',
    retrying: 'as told',
    asksUsage: 'if told',
    ask: (call) => collect((into) => askChat(create(call), call, into), explain),
    stream: (call) => collect((into) => streamChat(create(call), call, into), explain),
    embed: {
      formats: ['default', 'float', 'base64'],
      run: (call, format) =>
        collect(async (into) => {
          const body: EmbeddingBody = { model: EMBEDDING_MODEL, input: call.prompt };
          if (format !== 'default') body.encoding_format = format;
          into.add(await create(call).embeddings.create(body), undefined);
        }, explain),
    },
    uploads: {
      'files.create': (call, path) =>
        collect(async (into) => {
          const file = createReadStream(path);
          into.add(await create(call).files.create({ file, purpose: 'fine-tune' }), undefined);
        }, explain),
      'audio.transcriptions': (call, path) =>
        collect(async (into) => {
          const file = createReadStream(path);
          into.add(await create(call).audio.transcriptions.create({ file, model: 'whisper-1' }), undefined);
        }, explain),
    },
  };
}

/** A version's calls of responses. */
function responses({ version, create, explain }: Version): Client {
  return {
    name: `openai ${version}, responses`,
    api: 'responses',
    retrying: 'as told',
    asksUsage: 'no such thing',
    ask: (call) => collect((into) => askResponses(create(call), call, into), explain),
    stream: (call) => collect((into) => streamResponses(create(call), call, into), explain),
  };
}

export const openai4 = chat(version4);
export const openai4Responses = responses(version4);
export const openai7 = chat(version7);
export const openai7Responses = responses(version7);
