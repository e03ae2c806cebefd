import type { Response } from 'express';

/** What can be wrong with a call of the admin API. */
export interface Problem {
  readonly status: number;
  /** Short, the same for every case of its kind. */
  readonly title: string;
  /** What is wrong here, and what would be right. Never holds a secret. */
  readonly detail: string;
  readonly retryAfterSeconds?: number;
}

/** Ends a call of the admin API with an answer that says what is wrong. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

/** Answers as RFC 9457 says: `application/problem+json`. */
export function sendProblem(res: Response, { status, title, detail, retryAfterSeconds }: Problem): void {
  if (retryAfterSeconds !== undefined) res.set('retry-after', String(retryAfterSeconds));
  if (status === 401) res.set('www-authenticate', 'Bearer');
  res
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title, status, detail }));
}

export const NOT_FOUND: Problem = {
  status: 404,
  title: 'Not Found',
  detail: 'There is nothing here. GET /admin/openapi.json lists what there is.',
};

export const METHOD_NOT_ALLOWED: Problem = {
  status: 405,
  title: 'Method Not Allowed',
  detail: 'This cannot be done here; `allow` says what can. GET /admin/openapi.json lists what there is.',
};

export const UNREADABLE_PATH: Problem = {
  status: 400,
  title: 'Bad Request',
  detail: 'The path cannot be decoded.',
};
