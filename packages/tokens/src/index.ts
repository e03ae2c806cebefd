export type { Splice } from './ask-usage.ts';
export type { CallReading } from './call-fields.ts';
export { type CallKind, hasOutput } from './call-kind.ts';
export { CallReader, type CallReaderOptions } from './call-reader.ts';
export { countTokens } from './count.ts';
export { type EncodingName, encodingOf } from './encoding.ts';
export { type Meter, type MeterOptions, makeMeter } from './meter.ts';
export { isOpaque, type NamedModels, namedModels } from './named-models.ts';
