import { type Answer, CREATED, type EventAnswer, json } from '../answer.ts';
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
import { readMessages } from '../prompt.ts';
import { idOf } from '../tokens.ts';

/** POST responses. */
export function responses(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const body = read.object;
  const { errors } = exchange;
  const model = typeof body.model === 'string' ? body.model : exchange.deployment;
  if (model === undefined) return errors.missing('model');
  if (typeof body.input !== 'string' && !Array.isArray(body.input)) return errors.missing('input');
  const limit = readCount(body.max_output_tokens, 'max_output_tokens');
  if (typeof limit === 'string') return errors.invalid(limit, 'max_output_tokens', 'integer_below_min_value');
  const prompt = readMessages(body.input, body.instructions, body.tools);
  const refused = charge(exchange, model, Math.max(limit ?? 0, prompt.tokens));
  if (refused !== undefined) return refused;

  const generation = generate(exchange, prompt, limit);
  const draw = new ResponseDrawing(exchange, model, idOf(prompt.seed), prompt.tokens, generation, limit);
  if (body.stream === true) return draw.events();
  const manner = usageManner(exchange);
  const tokens = sums(prompt.tokens, generation.textTokens, generation.completionTokens, manner.truthful);
  return json(
    200,
    draw.response(draw.finalStatus, `[${draw.item('completed', generation.text)}]`, draw.usage()),
    tokens,
  );
}

/** POST responses/input_tokens. Free, as OpenAI's is. */
export function countResponseTokens(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const { input, instructions, tools } = read.object;
  const refused = charge(exchange, 'input_tokens', 0);
  if (refused !== undefined) return refused;
  const { tokens } = readMessages(input, instructions, tools);
  return json(200, JSON.stringify({ object: 'response.input_tokens', input_tokens: tokens }));
}

/** The parts of one response's JSON. */
class ResponseDrawing {
  readonly #exchange: Exchange;
  readonly #model: string;
  readonly #id: string;
  readonly #prompt: number;
  readonly #generation: Generation;
  readonly #limit: number | undefined;

  constructor(
    exchange: Exchange,
    model: string,
    id: string,
    prompt: number,
    generation: Generation,
    limit: number | undefined,
  ) {
    this.#exchange = exchange;
    this.#model = JSON.stringify(model);
    this.#id = id;
    this.#prompt = prompt;
    this.#generation = generation;
    this.#limit = limit;
  }

  get finalStatus(): 'completed' | 'incomplete' {
    return this.#generation.truncated ? 'incomplete' : 'completed';
  }

  /** `usage` is a member with its comma, or nothing. */
  response(status: string, output: string, usage: string): string {
    const incomplete = status === 'incomplete' ? '{"reason":"max_output_tokens"}' : 'null';
    return `{"id":"resp_${this.#id}","object":"response","created_at":${CREATED},"status":"${status}","background":false,"error":null,"incomplete_details":${incomplete},"instructions":null,"max_output_tokens":${this.#limit ?? null},"model":${this.#model},"output":${output},"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":true,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled"${usage},"user":null,"metadata":{}}`;
  }

  item(status: string, text: string | undefined): string {
    const content = text === undefined ? '' : this.part(text);
    return `{"id":"${this.#itemId()}","type":"message","status":"${status}","content":[${content}],"role":"assistant"}`;
  }

  part(text: string): string {
    return `{"type":"output_text","annotations":[],"logprobs":[],"text":"${text}"}`;
  }

  usage(): string {
    return usageMember(
      usageManner(this.#exchange),
      this.#prompt,
      this.#generation.completionTokens,
      this.#usage,
    );
  }

  events(): EventAnswer {
    const { text, textTokens, completionTokens, pieces, piece } = this.#generation;
    const manner = usageManner(this.#exchange);
    let sequence = 0;
    const event = (type: string, members: string, number = sequence++) =>
      `event: ${type}\ndata: {"type":"${type}","sequence_number":${number},${members}}\n\n`;
    const nothing = this.response('in_progress', '[]', ',"usage":null');
    const place = `"item_id":"${this.#itemId()}","output_index":0,"content_index":0`;
    const before = [
      event('response.created', `"response":${nothing}`),
      event('response.in_progress', `"response":${nothing}`),
      event('response.output_item.added', `"output_index":0,"item":${this.item('in_progress', undefined)}`),
      event('response.content_part.added', `${place},"part":${this.part('')}`),
    ];
    const first = sequence;
    sequence += pieces;
    const item = this.item(this.finalStatus, text);
    const after = [
      event('response.output_text.done', `${place},"text":"${text}","logprobs":[]`),
      event('response.content_part.done', `${place},"part":${this.part(text)}`),
      event('response.output_item.done', `"output_index":0,"item":${item}`),
    ];
    const end = (usage: string) =>
      event(
        `response.${this.finalStatus}`,
        `"response":${this.response(this.finalStatus, `[${item}]`, usage)}`,
      );
    const told = (tokens: readonly [number, number]) => `,"usage":${this.#usage(...tokens, manner.number)}`;
    if (manner.twice) after.push(end(told(preliminary(this.#prompt, completionTokens))));
    if (manner.afterDone || manner.absent) after.push(end(',"usage":null'));
    if (!manner.absent) after.push(end(told([this.#prompt, completionTokens])));
    return {
      kind: 'events',
      before,
      pieces,
      piece: (i) =>
        event('response.output_text.delta', `${place},"delta":"${piece(i)}","logprobs":[]`, first + i),
      after,
      error: (told) =>
        event(
          'error',
          '"code":"server_error","message":"The server had an error while processing your request. Sorry about that!","param":null',
          first + told,
        ),
      tokens: sums(this.#prompt, textTokens, completionTokens, manner.truthful),
    };
  }

  #itemId(): string {
    return `msg_${this.#id}`;
  }

  #usage = (prompt: number, completion: number, number: (tokens: number) => string): string => {
    const { cachedTokens, reasoningTokens } = this.#generation;
    return `{"input_tokens":${number(prompt)},"input_tokens_details":{"cached_tokens":${cachedTokens}},"output_tokens":${number(completion)},"output_tokens_details":{"reasoning_tokens":${reasoningTokens}},"total_tokens":${number(prompt + completion)}}`;
  };
}
