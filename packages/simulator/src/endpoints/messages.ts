import { type Answer, json } from '../answer.ts';
import { charge, type Exchange, readJson } from '../exchange.ts';
import {
  type Generation,
  generate,
  preliminary,
  readCount,
  sums,
  usageManner,
  usageMember,
} from '../generation.ts';
import { type JsonObject, readMessages } from '../prompt.ts';
import { idOf } from '../tokens.ts';

/** POST messages: Anthropic's. */
export function messages(exchange: Exchange): Answer {
  const read = readRequest(exchange);
  if ('refusal' in read) return read.refusal;
  const { body, model } = read;
  const { errors } = exchange;
  if (body.max_tokens === undefined) return errors.missing('max_tokens');
  const limit = readCount(body.max_tokens, 'max_tokens');
  if (typeof limit === 'string') return errors.invalid(limit);
  const prompt = readMessages(body.messages, body.system, body.tools);
  const refused = charge(exchange, model, prompt.tokens + (limit ?? 0));
  if (refused !== undefined) return refused;

  const generation = generate(exchange, prompt, limit);
  const { text, textTokens, completionTokens } = generation;
  const manner = usageManner(exchange);
  const tokens = sums(prompt.tokens, textTokens, completionTokens, manner.truthful);
  const id = idOf(prompt.seed).slice(0, 24);
  const start = `"id":"msg_${id}","type":"message","role":"assistant","model":${JSON.stringify(model)}`;
  const stop = `"stop_reason":"${generation.truncated ? 'max_tokens' : 'end_turn'}","stop_sequence":null`;
  const render = (input: number, output: number, number: (tokens: number) => string) =>
    `{${inputUsage(generation, input, number)},"output_tokens":${number(output)},"service_tier":"standard"}`;
  if (body.stream !== true) {
    const usage = usageMember(manner, prompt.tokens, completionTokens, render);
    return json(200, `{${start},"content":[{"type":"text","text":"${text}"}],${stop}${usage}}`, tokens);
  }

  const event = (type: string, members: string) =>
    `event: ${type}\ndata: {"type":"${type}"${members === '' ? '' : `,${members}`}}\n\n`;
  // The first usage knows the prompt and, at most, one token of the answer; the last one tells the answer's total.
  const startUsage = manner.absent
    ? ''
    : `,"usage":${render(prompt.tokens, Math.min(1, completionTokens), manner.number)}`;
  const end = (output: number | undefined) =>
    event(
      'message_delta',
      `"delta":{${stop}}${output === undefined ? '' : `,"usage":{"output_tokens":${manner.number(output)}}`}`,
    );
  const done = event('message_stop', '');
  const after = [event('content_block_stop', '"index":0')];
  if (manner.twice) after.push(end(preliminary(prompt.tokens, completionTokens)[1]));
  if (manner.absent) after.push(end(undefined), done);
  else if (manner.afterDone) after.push(end(undefined), done, end(completionTokens));
  else after.push(end(completionTokens), done);
  return {
    kind: 'events',
    before: [
      event(
        'message_start',
        `"message":{${start},"content":[],"stop_reason":null,"stop_sequence":null${startUsage}}`,
      ),
      event('content_block_start', '"index":0,"content_block":{"type":"text","text":""}'),
      event('ping', ''),
    ],
    pieces: generation.pieces,
    piece: (i) =>
      event('content_block_delta', `"index":0,"delta":{"type":"text_delta","text":"${generation.piece(i)}"}`),
    after,
    error: () => event('error', '"error":{"type":"overloaded_error","message":"Overloaded"}'),
    tokens,
  };
}

/** POST messages/count_tokens: free, but a request. */
export function countMessageTokens(exchange: Exchange): Answer {
  const read = readRequest(exchange);
  if ('refusal' in read) return read.refusal;
  const { body, model } = read;
  const refused = charge(exchange, model, 0);
  if (refused !== undefined) return refused;
  return json(200, `{"input_tokens":${readMessages(body.messages, body.system, body.tools).tokens}}`);
}

/** What both calls ask of every request. */
function readRequest(exchange: Exchange): { body: JsonObject; model: string } | { refusal: Answer } {
  const { errors } = exchange;
  if (exchange.credential === undefined) return { refusal: errors.unauthorized(undefined) };
  if (exchange.req.headers['anthropic-version'] === undefined) {
    return { refusal: errors.invalid('anthropic-version: header is required') };
  }
  const read = readJson(exchange);
  if ('refusal' in read) return read;
  const body = read.object;
  if (typeof body.model !== 'string') return { refusal: errors.missing('model') };
  if (!Array.isArray(body.messages)) return { refusal: errors.missing('messages') };
  return { body, model: body.model };
}

/** Anthropic counts cached input besides `input_tokens`, not within. */
function inputUsage({ cachedTokens }: Generation, input: number, number: (tokens: number) => string): string {
  return `"input_tokens":${number(input - cachedTokens)},"cache_creation_input_tokens":0,"cache_read_input_tokens":${cachedTokens}`;
}
