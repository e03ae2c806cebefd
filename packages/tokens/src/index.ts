export { countTokens } from './count.ts';
export { type EncodingName, encodingOf } from './encoding.ts';
export type { CallKind } from './call-kind.ts';
export { type Meter, type MeterOptions, makeMeter } from './meter.ts';
