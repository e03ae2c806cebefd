export type { LogFields } from './entry-json.ts';
export { createLog, type Log, type LogOptions } from './log.ts';
export type { LogLevel } from './log-level.ts';
export { createMetrics, type Metrics, type PresentState } from './metrics/metrics.ts';
export type { EndedRequest } from './metrics/request-tallies.ts';
export type { GivenUp } from './metrics/upstream-tally.ts';
export { redact } from './redact.ts';
export type { RequestEnd, RequestLine } from './request-line.ts';
