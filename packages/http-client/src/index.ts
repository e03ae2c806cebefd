export { AnswerFields } from './answer-fields.ts';
export { type AnswerFraming, type AnswerHead, AnswerHeads } from './answer-head.ts';
export { HttpClient, type HttpClientOptions } from './client.ts';
export { ClientError, type ClientErrorCode } from './client-error.ts';
export type { AnswerReceiver, HttpRequest, Sending } from './sending.ts';
export { type AtTurnsEnd, waitForTurnsEnd } from './turns-end.ts';
