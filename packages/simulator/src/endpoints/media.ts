import { type Answer, CREATED, json } from '../answer.ts';
import { charge, type Exchange, readJson } from '../exchange.ts';
import { generate, readCount, sums, usageManner, usageMember } from '../generation.ts';
import { parseMultipart } from '../multipart.ts';
import { readMessages } from '../prompt.ts';
import { countTokens, hashText } from '../tokens.ts';

/** Bytes of an upload that count as one token of audio. */
const AUDIO_BYTES_PER_TOKEN = 1_000;

/** What gpt-image-1 counts for a square picture of low quality. */
const TOKENS_PER_PICTURE = 272;

/** A PNG of one transparent pixel. */
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

/** POST audio/transcriptions: usage in tokens, or in seconds for whisper-1. */
export function transcribe(exchange: Exchange): Answer {
  const parts = parseMultipart(exchange.req.headers['content-type'], exchange.body);
  if (parts === undefined) return exchange.errors.invalid('Expected a multipart/form-data body.');
  const audio = parts.get('file');
  if (audio === undefined) return exchange.errors.missing('file');
  const model = parts.get('model')?.content.toString('utf8') ?? exchange.deployment;
  if (model === undefined) return exchange.errors.missing('model');
  const input = Math.ceil(audio.content.length / AUDIO_BYTES_PER_TOKEN);
  const refused = charge(exchange, model, input);
  if (refused !== undefined) return refused;

  const prompt = { tokens: input, seed: hashText(audio.content.toString('latin1', 0, 256)) };
  const { text, textTokens, completionTokens } = generate(exchange, prompt, undefined);
  const manner = usageManner(exchange);
  const inSeconds = model.startsWith('whisper');
  const usage = usageMember(manner, input, completionTokens, (prompted, completion, number) =>
    inSeconds
      ? `{"type":"duration","seconds":${number(prompted)}}`
      : `{"type":"tokens","total_tokens":${number(prompted + completion)},"input_tokens":${number(prompted)},"input_token_details":{"text_tokens":0,"audio_tokens":${number(prompted)}},"output_tokens":${number(completion)}}`,
  );
  const reported = manner.truthful && !inSeconds;
  return json(200, `{"text":"${text}"${usage}}`, sums(input, textTokens, completionTokens, reported));
}

/** POST audio/speech: bytes that grow with the text, and no usage. */
export function speak(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const { input, model } = read.object;
  if (typeof input !== 'string') return exchange.errors.missing('input');
  if (typeof model !== 'string') return exchange.errors.missing('model');
  const tokens = countTokens(input);
  const refused = charge(exchange, model, tokens);
  if (refused !== undefined) return refused;
  const body = Buffer.alloc(1_024 + tokens * 512, `ID3\u0004 ${hashText(input)}`);
  return { kind: 'whole', status: 200, contentType: 'audio/mpeg', body };
}

/** POST images/generations: `n` pictures in base64. */
export function generateImages(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const body = read.object;
  const model = typeof body.model === 'string' ? body.model : (exchange.deployment ?? 'gpt-image-1');
  if (typeof body.prompt !== 'string') return exchange.errors.missing('prompt');
  return paint(exchange, { model, n: body.n, promptTokens: countTokens(body.prompt), pictures: 0 });
}

/** POST images/edits: as images/generations; each picture that comes counts as one that goes. */
export function editImages(exchange: Exchange): Answer {
  const parts = parseMultipart(exchange.req.headers['content-type'], exchange.body);
  if (parts === undefined) return exchange.errors.invalid('Expected a multipart/form-data body.');
  const text = (name: string) => parts.get(name)?.content.toString('utf8');
  const prompt = text('prompt');
  if (!parts.has('image') && !parts.has('image[]')) return exchange.errors.missing('image');
  if (prompt === undefined) return exchange.errors.missing('prompt');
  const model = text('model') ?? exchange.deployment ?? 'gpt-image-1';
  const n = parts.has('n') ? Number(text('n')) : undefined;
  return paint(exchange, { model, n, promptTokens: countTokens(prompt), pictures: 1 });
}

/** What is to be painted. */
interface Painting {
  readonly model: string;
  readonly n: unknown;
  readonly promptTokens: number;
  /** Those that it begins with. */
  readonly pictures: number;
}

function paint(exchange: Exchange, { model, n: stated, promptTokens, pictures: shown }: Painting): Answer {
  const n = readCount(stated, 'n') ?? 1;
  if (typeof n === 'string' || n > 10) return exchange.errors.invalid("Invalid 'n': from 1 to 10.", 'n');
  const shownTokens = shown * TOKENS_PER_PICTURE;
  const prompt = promptTokens + shownTokens;
  const refused = charge(exchange, model, prompt);
  if (refused !== undefined) return refused;
  const manner = usageManner(exchange);
  const usage = usageMember(
    manner,
    prompt,
    n * TOKENS_PER_PICTURE,
    (input, output, number) =>
      `{"input_tokens":${number(input)},"input_tokens_details":{"image_tokens":${number(shownTokens)},"text_tokens":${number(input - shownTokens)}},"output_tokens":${number(output)},"total_tokens":${number(input + output)}}`,
  );
  const pictures = Array.from({ length: n }, () => `{"b64_json":"${PICTURE}"}`).join(',');
  const whole = `{"created":${CREATED},"background":"opaque","data":[${pictures}],"output_format":"png","quality":"low","size":"1024x1024"${usage}}`;
  return json(200, whole, sums(prompt, 0, n * TOKENS_PER_PICTURE, manner.truthful));
}

const CATEGORIES = [
  'harassment',
  'harassment/threatening',
  'hate',
  'hate/threatening',
  'illicit',
  'illicit/violent',
  'self-harm',
  'self-harm/instructions',
  'self-harm/intent',
  'sexual',
  'sexual/minors',
  'violence',
  'violence/graphic',
];

const NOT_FLAGGED = {
  flagged: false,
  categories: Object.fromEntries(CATEGORIES.map((name) => [name, false])),
  category_scores: Object.fromEntries(CATEGORIES.map((name) => [name, 0.000001])),
  category_applied_input_types: Object.fromEntries(CATEGORIES.map((name) => [name, ['text']])),
};

/** POST moderations: flags nothing. Free, as OpenAI's is. */
export function moderate(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const { input, model } = read.object;
  if (input === undefined) return exchange.errors.missing('input');
  const name = typeof model === 'string' ? model : 'omni-moderation-latest';
  const refused = charge(exchange, name, readMessages(input).tokens);
  if (refused !== undefined) return refused;
  const id = `modr-${hashText(JSON.stringify(input)).toString(16)}`;
  const results = (Array.isArray(input) ? input : [input]).map(() => NOT_FLAGGED);
  return json(200, JSON.stringify({ id, model: name, results }));
}
