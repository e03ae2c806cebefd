export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Winston's order: the smaller, the graver. */
export const LEVEL_ORDER: Readonly<Record<LogLevel, number>> = Object.freeze({
  error: 0,
  warn: 1,
  info: 2,
  debug: 3,
});
