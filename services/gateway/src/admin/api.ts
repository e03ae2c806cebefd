import type { AdminScope, AdminToken } from '@nexus/config';
import type { Log } from '@nexus/observe';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import type { AdminDoor } from './door.ts';
import { openApi } from './openapi.ts';
import { METHOD_NOT_ALLOWED, NOT_FOUND, ProblemError, sendProblem, UNREADABLE_PATH } from './problem.ts';

/** What a call answers: JSON, or a text of its own type. */
export type AdminAnswer =
  | { readonly json: unknown; readonly status?: number }
  | { readonly text: string; readonly type: string };

/** A call of the admin API that was let in. */
export interface AdminCall {
  readonly req: Request;
  /** The JSON of its body; undefined where it has none. */
  readonly body: unknown;
  readonly by: AdminToken;
}

/** One door of the admin API, as it is served and described. */
export interface AdminRoute {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** As Express and OpenAPI both read it: `/admin/v1/keys/{id}`. */
  readonly path: string;
  readonly scope: AdminScope;
  readonly summary: string;
  /** Names of the query, and what each means. */
  readonly query?: Readonly<Record<string, string>>;
  /** JSON schema of the body. */
  readonly body?: object;
  /** JSON schema of the answer. */
  readonly answer: object;
  /** Media types besides JSON in which the answer comes where it is asked for. */
  readonly alsoAs?: readonly string[];
  /** @throws ProblemError */
  readonly handle: (call: AdminCall) => Promise<AdminAnswer>;
}

const LARGEST_BODY = '64kb';

/** Adds the routes to the admin address: JSON in, JSON out, problems as RFC 9457. */
export function addAdminApi(app: Express, routes: readonly AdminRoute[], door: AdminDoor, log: Log): void {
  const api = express.Router({ caseSensitive: true });
  api.use((_req, res, next) => {
    res.set({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    next();
  });
  api.get('/admin/openapi.json', (_req, res) => {
    res.json(openApi(routes));
  });
  const readJson = express.json({ limit: LARGEST_BODY, strict: true });
  for (const route of routes)
    api[route.method](expressPath(route.path), (req, res) => {
      void serve(route, req, res, { door, readJson, log });
    });
  for (const [path, methods] of methodsByPath(routes))
    api.all(path, (_req, res) => {
      res.set('allow', methods.join(', '));
      sendProblem(res, METHOD_NOT_ALLOWED);
    });
  app.use((req, res, next) => api(req, res, next));
  app.use('/admin', unreadablePath);
  app.use('/admin', (_req, res) => sendProblem(res, NOT_FOUND));
}

/** `/admin/v1/keys/{id}` as Express writes it. */
function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** What may be done at each path, as `Allow` says it (RFC 9110 §10.2.1). */
function methodsByPath(routes: readonly AdminRoute[]): Map<string, string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) {
    const known = methods.get(expressPath(path)) ?? [];
    methods.set(expressPath(path), [
      ...known,
      ...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]),
    ]);
  }
  return methods;
}

/** A slip in a query must not pass for a question about everything. */
function checkQuery(route: AdminRoute, req: Request): void {
  const known = Object.keys(route.query ?? {});
  for (const [name, value] of Object.entries(req.query)) {
    if (known.includes(name) && typeof value === 'string') continue;
    const takes = known.length === 0 ? 'no query' : `these in its query, each once: ${known.join(', ')}`;
    throw new ProblemError({ status: 400, title: 'Bad Request', detail: `This call takes ${takes}.` });
  }
}

/** A path with broken percent-encoding is Express' error, and the caller's (RFC 3986 §2.1). */
const unreadablePath: ErrorRequestHandler = (error, _req, res, next) => {
  if (error instanceof URIError) sendProblem(res, UNREADABLE_PATH);
  else next(error);
};

async function serve(
  route: AdminRoute,
  req: Request,
  res: Response,
  { door, readJson, log }: { door: AdminDoor; readJson: ReturnType<typeof express.json>; log: Log },
): Promise<void> {
  try {
    // Nobody unknown makes Nexus read a body.
    const by = await door.enter(req, route.scope);
    checkQuery(route, req);
    const body = route.body === undefined ? undefined : await bodyOf(req, res, readJson);
    const answer = await route.handle({ req, body, by });
    if ('text' in answer) res.type(answer.type).send(answer.text);
    else res.status(answer.status ?? 200).json(answer.json);
  } catch (error) {
    if (error instanceof ProblemError) {
      sendProblem(res, error.problem);
      return;
    }
    log.error('admin call failed', { error });
    sendProblem(res, {
      status: 500,
      title: 'Internal Server Error',
      detail: 'Nexus failed on this call. The log says why.',
    });
  }
}

function bodyOf(req: Request, res: Response, readJson: ReturnType<typeof express.json>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (!/^application\/json\b/i.test(req.headers['content-type'] ?? ''))
      reject(
        new ProblemError({
          status: 415,
          title: 'Unsupported Media Type',
          detail: 'Send the body as application/json.',
        }),
      );
    else
      readJson(req, res, (error: unknown) => {
        if (error === undefined) resolve(req.body);
        else reject(new ProblemError(badBody(error)));
      });
  });
}

function badBody(error: unknown): { status: number; title: string; detail: string } {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
  return status === 413
    ? { status: 413, title: 'Content Too Large', detail: `The body is larger than ${LARGEST_BODY}.` }
    : { status: 400, title: 'Bad Request', detail: 'The body is not a JSON object.' };
}
