/** The vocabularies of OpenAI's models: `o200k_base` since gpt-4o, `cl100k_base` for gpt-4, gpt-3.5 and the embedding models. */
export type EncodingName = 'o200k_base' | 'cl100k_base';

/**
 * Model names that use cl100k_base, from tiktoken's own table (tiktoken/model.py): gpt-4 but not gpt-4o, gpt-4.1 or gpt-4.5,
 * gpt-3.5 (`gpt-35-turbo` on Azure) and the embedding models. Everything newer, and every model of another vendor,
 * counts with o200k_base: for vendors that publish no vocabulary it is the closest guess, and settlement corrects it.
 */
const CL100K = /^(?:gpt-4(?![\w.])|gpt-3\.?5|text-embedding-|davinci-002|babbage-002)/;

/**
 * The encoding of a model as a client names it. A fine-tune (`ft:gpt-4o:acme::id`) counts as what it was tuned from, and a
 * vendor's prefix (`openai/gpt-4`, `azure/eu/gpt-4`) is read over. Unknown or absent: o200k_base.
 */
export function encodingOf(model: string | undefined): EncodingName {
  // Names are short; a longer one is hostile and unknown.
  if (model === undefined || model.length > 256) return 'o200k_base';
  if (model !== lastModel) {
    lastEncoding = findEncoding(model);
    lastModel = model;
  }
  return lastEncoding;
}

/** Asked two or three times for each call, and most calls name the model that the last one named. */
let lastModel = '';
let lastEncoding: EncodingName = 'o200k_base';

function findEncoding(model: string): EncodingName {
  let name = model.slice(model.lastIndexOf('/') + 1).toLowerCase();
  if (name.startsWith('ft:')) name = name.slice(3);
  return CL100K.test(name) ? 'cl100k_base' : 'o200k_base';
}
