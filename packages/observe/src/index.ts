export type { LogFields } from './entry-json.ts';
export { createLog, type Log, type LogOptions } from './log.ts';
export type { LogLevel } from './log-level.ts';
export { redact } from './redact.ts';
export type { RequestEnd, RequestLine } from './request-line.ts';
