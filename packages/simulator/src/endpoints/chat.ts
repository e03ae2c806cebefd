import { type Answer, CREATED, json } from '../answer.ts';
import { STREAM_ERROR } from '../errors.ts';
import { charge, type Exchange, readJson } from '../exchange.ts';
import {
  generate,
  preliminary,
  readCount,
  sums,
  type UsageRender,
  usageManner,
  usageMember,
} from '../generation.ts';
import { isObject, type JsonObject, readMessages } from '../prompt.ts';
import { idOf } from '../tokens.ts';
import { type Choice, textChoice, toolChoice } from './chat-choice.ts';

const FINGERPRINT = 'fp_5178a3d1c0';

/** POST chat/completions. */
export function chatCompletions(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const body = read.object;
  const { errors } = exchange;
  const model = typeof body.model === 'string' ? body.model : exchange.deployment;
  if (model === undefined) return errors.invalid('you must provide a model parameter');
  if (!Array.isArray(body.messages)) return errors.missing('messages');
  const n = readCount(body.n, 'n') ?? 1;
  if (typeof n === 'string') return errors.invalid(n, 'n', 'integer_below_min_value');
  if (n > 128)
    return errors.invalid("Invalid 'n': integer above maximum value.", 'n', 'integer_above_max_value');
  const limit = readLimit(body);
  if (typeof limit === 'string') return errors.invalid(limit, null, 'integer_below_min_value');

  const prompt = readMessages(body.messages, body.tools);
  const refused = charge(exchange, model, Math.max(limit ?? 0, prompt.tokens));
  if (refused !== undefined) return refused;

  const choices: Choice[] = [];
  const chosen = forcedTool(body);
  for (let index = 0; index < n; index++) {
    const generation = generate(exchange, prompt, limit, index);
    choices.push(
      chosen === undefined ? textChoice(generation) : toolChoice(generation, chosen, prompt.seed + index),
    );
  }
  const start = `{"id":"chatcmpl-${idOf(prompt.seed)}","object":"`;
  const tail = `","created":${CREATED},"model":${JSON.stringify(model)},"service_tier":"default","system_fingerprint":"${FINGERPRINT}"`;
  if (body.stream === true) {
    const options = body.stream_options;
    const asked = isObject(options) && options.include_usage === true;
    return streamed(exchange, `data: ${start}chat.completion.chunk${tail}`, choices, prompt.tokens, asked);
  }
  const manner = usageManner(exchange);
  const { text, completion, render } = total(choices);
  const told = choices.map((choice, index) => `{"index":${index},${choice.whole}}`).join(',');
  const usage = usageMember(manner, prompt.tokens, completion, render);
  const whole = `${start}chat.completion${tail},"choices":[${told}]${usage}}`;
  return json(200, whole, sums(prompt.tokens, text, completion, manner.truthful));
}

function streamed(
  exchange: Exchange,
  start: string,
  choices: readonly Choice[],
  prompt: number,
  asked: boolean,
): Answer {
  const manner = usageManner(exchange);
  const { text, completion, render } = total(choices);
  const told = asked && !manner.absent;
  const none = told ? ',"usage":null' : '';
  const n = choices.length;
  const chunk = (index: number, delta: string, finish: string) =>
    `${start},"choices":[{"index":${index},"delta":${delta},"logprobs":null,"finish_reason":${finish}}]${none}}\n\n`;
  const usageChunk = (usage: string) => `${start},"choices":[],"usage":${usage}}\n\n`;
  const finishes = choices.map((choice, index) => chunk(index, '{}', `"${choice.finish}"`));
  const done = 'data: [DONE]\n\n';
  const after = [...finishes];
  if (!told) after.push(done);
  else {
    const right = usageChunk(render(prompt, completion, manner.number));
    if (manner.twice) after.push(usageChunk(render(...preliminary(prompt, completion), manner.number)));
    after.push(...(manner.afterDone ? [done, right] : [right, done]));
  }
  // All choices have the same number of pieces; the rounds tell them in turn.
  const rounds = choices[0]?.pieces ?? 0;
  const close = `},"logprobs":null,"finish_reason":null}]${none}}\n\n`;
  const opens = choices.map(
    (choice, index) => `${start},"choices":[{"index":${index},"delta":{${choice.open}`,
  );
  return {
    kind: 'events',
    before: choices.map((choice, index) => chunk(index, choice.first, 'null')),
    pieces: rounds * n,
    piece: (i) => {
      const index = i % n;
      const choice = choices[index];
      return choice === undefined
        ? ''
        : `${opens[index]}${choice.piece((i - index) / n)}${choice.shut}${close}`;
    },
    after,
    error: () => STREAM_ERROR,
    tokens: sums(prompt, text, completion, told && manner.truthful),
  };
}

function total(choices: readonly Choice[]): { text: number; completion: number; render: UsageRender } {
  let text = 0;
  let completion = 0;
  let cached = 0;
  let reasoning = 0;
  for (const choice of choices) {
    text += choice.textTokens;
    completion += choice.completionTokens;
    reasoning += choice.completionTokens - choice.textTokens;
    cached = choice.cachedTokens;
  }
  return {
    text,
    completion,
    render: (prompt, all, number) =>
      `{"prompt_tokens":${number(prompt)},"completion_tokens":${number(all)},"total_tokens":${number(prompt + all)},"prompt_tokens_details":{"cached_tokens":${cached},"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":${reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
  };
}

/** `max_completion_tokens` goes before `max_tokens`, as in the servers that take both. */
function readLimit(body: JsonObject): number | undefined | string {
  const old = readCount(body.max_tokens, 'max_tokens');
  const now = readCount(body.max_completion_tokens, 'max_completion_tokens');
  if (typeof old === 'string') return old;
  if (typeof now === 'string') return now;
  return now ?? old;
}

/** The tool that the answer must call: the named one, or the first where any is required. */
function forcedTool(body: JsonObject): { name: string; finish: string } | undefined {
  const choice = body.tool_choice;
  if (isObject(choice) && isObject(choice.function) && typeof choice.function.name === 'string') {
    return { name: choice.function.name, finish: 'stop' };
  }
  if (choice !== 'required' || !Array.isArray(body.tools)) return undefined;
  const first: unknown = body.tools[0];
  const name = isObject(first) && isObject(first.function) ? first.function.name : undefined;
  return typeof name === 'string' ? { name, finish: 'tool_calls' } : undefined;
}
