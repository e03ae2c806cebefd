import { type Answer, CREATED, json } from '../answer.ts';
import { STREAM_ERROR } from '../errors.ts';
import { charge, type Exchange, readJson } from '../exchange.ts';
import {
  type Generation,
  generate,
  preliminary,
  readCount,
  sums,
  type UsageRender,
  usageManner,
  usageMember,
} from '../generation.ts';
import { isObject, readInputs } from '../prompt.ts';
import { idOf } from '../tokens.ts';

const renderUsage: UsageRender = (prompt, completion, number) =>
  `{"prompt_tokens":${number(prompt)},"completion_tokens":${number(completion)},"total_tokens":${number(prompt + completion)}}`;

/** POST completions: one answer for each prompt and each of `n`. */
export function completions(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const body = read.object;
  const { errors } = exchange;
  const model = typeof body.model === 'string' ? body.model : exchange.deployment;
  if (model === undefined) return errors.invalid('you must provide a model parameter');
  const prompts = readInputs(body.prompt ?? '<|endoftext|>');
  if (prompts === undefined) return errors.invalid("Invalid type for 'prompt'.", 'prompt', 'invalid_type');
  const n = readCount(body.n, 'n') ?? 1;
  if (typeof n === 'string') return errors.invalid(n, 'n', 'integer_below_min_value');
  if (n * prompts.length > 128) return errors.invalid("Too many prompts for 'n'.", 'n');
  // The endpoint's documented default is 16.
  const limit = readCount(body.max_tokens, 'max_tokens') ?? 16;
  if (typeof limit === 'string') return errors.invalid(limit, 'max_tokens', 'integer_below_min_value');

  const prompt = prompts.reduce((sum, one) => sum + one.tokens, 0);
  const refused = charge(exchange, model, Math.max(limit, prompt));
  if (refused !== undefined) return refused;

  const generations = prompts.flatMap((one) =>
    Array.from({ length: n }, (_, i) => generate(exchange, one, limit, i)),
  );
  const text = generations.reduce((sum, one) => sum + one.textTokens, 0);
  const completion = generations.reduce((sum, one) => sum + one.completionTokens, 0);
  const start = `{"id":"cmpl-${idOf(prompts[0]?.seed ?? 0)}","object":"text_completion","created":${CREATED},"model":${JSON.stringify(model)},"system_fingerprint":null`;
  const manner = usageManner(exchange);
  if (body.stream !== true) {
    const told = generations.map((one, index) => choice(index, one.text, `"${finish(one)}"`)).join(',');
    const usage = usageMember(manner, prompt, completion, renderUsage);
    return json(
      200,
      `${start},"choices":[${told}]${usage}}`,
      sums(prompt, text, completion, manner.truthful),
    );
  }

  const options = body.stream_options;
  const told = isObject(options) && options.include_usage === true && !manner.absent;
  const none = told ? ',"usage":null' : '';
  const event = (choices: string, usage: string) => `data: ${start},"choices":[${choices}]${usage}}\n\n`;
  const after = generations.map((one, index) => event(choice(index, '', `"${finish(one)}"`), none));
  const done = 'data: [DONE]\n\n';
  if (!told) after.push(done);
  else {
    const usage = (tokens: readonly [number, number]) =>
      event('', `,"usage":${renderUsage(...tokens, manner.number)}`);
    if (manner.twice) after.push(usage(preliminary(prompt, completion)));
    const right = usage([prompt, completion]);
    after.push(...(manner.afterDone ? [done, right] : [right, done]));
  }
  const count = generations.length;
  return {
    kind: 'events',
    before: [],
    pieces: (generations[0]?.pieces ?? 0) * count,
    piece: (i) => {
      const index = i % count;
      return event(choice(index, generations[index]?.piece((i - index) / count) ?? '', 'null'), none);
    },
    after,
    error: () => STREAM_ERROR,
    tokens: sums(prompt, text, completion, told && manner.truthful),
  };
}

function choice(index: number, text: string, finishReason: string): string {
  return `{"text":"${text}","index":${index},"logprobs":null,"finish_reason":${finishReason}}`;
}

function finish(generation: Generation): string {
  return generation.truncated ? 'length' : 'stop';
}
