export { countTokens } from './count.ts';
export { type EncodingName, encodingOf } from './encoding.ts';
