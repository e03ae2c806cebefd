import { z } from 'zod';
import { FORMATS } from './formats.ts';
import { id, leaf, modelRules, secret } from './shape-leaves.ts';

/** More would make one request a burst. */
const MOST_ATTEMPTS = 5;
/** Statuses that say that the request wasn't worked on with this key, or by this upstream. */
const RETRIED = new Set<unknown>([401, 403, 429, '5xx']);
const PATH = /^\/[\w.~:@!$&'()*+,;=/-]*$/;

const targetUrl = leaf((value) => {
  const found = FORMATS['nexus-url'].read(value);
  return found.ok ? undefined : found;
}, FORMATS['nexus-url'].json);

const path = leaf(
  (value) =>
    typeof value === 'string' && PATH.test(value) && !value.includes('//') && !/(^|\/)\.\.?(\/|$)/.test(value)
      ? undefined
      : { wrong: 'is not the beginning of a path', remedy: 'write such as /v1/messages' },
  { type: 'string', pattern: '^/' },
);

const status = leaf(
  (value) =>
    RETRIED.has(value) || (Number.isInteger(value) && Number(value) >= 500 && Number(value) <= 599)
      ? undefined
      : { wrong: 'is no status to try again after', remedy: 'write 401, 403, 429, 5xx or such as 503' },
  { anyOf: [{ enum: [401, 403, 429, '5xx'] }, { type: 'integer', minimum: 500, maximum: 599 }] },
);

const attempts = leaf(
  (value) =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST_ATTEMPTS
      ? undefined
      : { wrong: 'is no number of attempts', remedy: `write 1 to ${MOST_ATTEMPTS}` },
  { type: 'integer', minimum: 1, maximum: MOST_ATTEMPTS },
);

const statuses = z.array(status).min(1, { message: 'lists no status' });
const retry = z.strictObject({ on: statuses, attempts: attempts.optional() });

const upstream = z.strictObject({
  name: id,
  target_url: targetUrl,
  keys: z.array(secret).min(1, { message: 'lists no key' }).optional(),
  models: modelRules.optional(),
  paths: z.array(path).min(1, { message: 'lists no path' }).optional(),
  retry: retry.optional(),
  fallback: id.optional(),
  fallback_on: statuses.optional(),
});

export const UPSTREAM_NAMES = Object.keys(upstream.shape);
export const RETRY_NAMES = Object.keys(retry.shape);

/** The shape of `upstreams`. */
export const upstreamsShape = z
  .array(upstream)
  .min(1, { message: 'lists no upstream' })
  .describe(
    'Several upstreams, each for its models and paths, with its keys; the first that matches takes a request. `target_url` beside it takes the rest.',
  );
