import { type Answer, json } from '../answer.ts';
import { charge, type Exchange, readJson } from '../exchange.ts';
import { readCount, sums, usageManner, usageMember } from '../generation.ts';
import { readInputs } from '../prompt.ts';

const MAX_INPUTS = 2_048;
const MAX_DIMENSIONS = 3_072;

/** Different vectors of one length; an input's hash chooses. */
const VARIANTS = 64;

/** POST embeddings: vectors of length 1, as floats or as base64 of little-endian 32-bit floats. */
export function embeddings(exchange: Exchange): Answer {
  const read = readJson(exchange);
  if ('refusal' in read) return read.refusal;
  const body = read.object;
  const { errors } = exchange;
  const model = typeof body.model === 'string' ? body.model : exchange.deployment;
  if (model === undefined) return errors.invalid('you must provide a model parameter');
  if (body.input === undefined) return errors.missing('input');
  const inputs = readInputs(body.input);
  if (inputs === undefined || inputs.length > MAX_INPUTS) {
    return errors.invalid(`'input' must be a string, an array of at most ${MAX_INPUTS} or tokens.`, 'input');
  }
  const dimensions = readCount(body.dimensions, 'dimensions') ?? (model.includes('3-large') ? 3_072 : 1_536);
  if (typeof dimensions === 'string') return errors.invalid(dimensions, 'dimensions');
  if (dimensions > MAX_DIMENSIONS) {
    return errors.invalid(`Invalid 'dimensions': at most ${MAX_DIMENSIONS}.`, 'dimensions');
  }
  const format = body.encoding_format ?? 'float';
  if (format !== 'float' && format !== 'base64') {
    return errors.invalid("'encoding_format' must be 'float' or 'base64'.", 'encoding_format');
  }
  const prompt = inputs.reduce((sum, input) => sum + input.tokens, 0);
  const refused = charge(exchange, model, prompt);
  if (refused !== undefined) return refused;

  const told = inputs.map(
    ({ seed }, index) =>
      `{"object":"embedding","index":${index},"embedding":${vector(seed % VARIANTS, dimensions, format)}}`,
  );
  const manner = usageManner(exchange);
  const usage = usageMember(
    manner,
    prompt,
    0,
    (tokens, _, number) => `{"prompt_tokens":${number(tokens)},"total_tokens":${number(tokens)}}`,
  );
  const whole = `{"object":"list","data":[${told.join(',')}],"model":${JSON.stringify(model)}${usage}}`;
  return json(200, whole, sums(prompt, 0, 0, manner.truthful));
}

const made = new Map<string, string>();
const MAX_MADE = 256;

/** The vector as JSON. Kept once made, since writing 1,536 floats takes longer than everything else here. */
function vector(variant: number, dimensions: number, format: 'float' | 'base64'): string {
  const name = `${variant} ${dimensions} ${format}`;
  let written = made.get(name);
  if (written === undefined) {
    const floats = unitVector(variant, dimensions);
    // toFixed(8) holds a component of a unit vector to about seven digits, as OpenAI's answers do.
    if (format === 'float') written = `[${Array.from(floats, (float) => float.toFixed(8)).join(',')}]`;
    else written = `"${littleEndian(floats).toString('base64')}"`;
    if (made.size >= MAX_MADE) made.clear();
    made.set(name, written);
  }
  return written;
}

function unitVector(variant: number, dimensions: number): Float32Array {
  const floats = new Float32Array(dimensions);
  let state = (variant + 1) * 2_654_435_761;
  let square = 0;
  for (let i = 0; i < dimensions; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const float = state / 2 ** 31 - 1;
    floats[i] = float;
    square += float * float;
  }
  const length = Math.sqrt(square);
  return floats.map((float) => float / length);
}

function littleEndian(floats: Float32Array): Buffer {
  const bytes = Buffer.alloc(floats.length * 4);
  floats.forEach((float, i) => {
    bytes.writeFloatLE(float, i * 4);
  });
  return bytes;
}
