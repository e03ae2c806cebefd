export { DEFAULTS, type VerifyOptions } from './options.ts';
export { VerifyProblem } from './problem.ts';
export type { LimitRow, LimitState, PlaceShare, Report } from './report.ts';
export { reportText } from './table.ts';
export { type Operator, verify } from './verify.ts';
