import { gzipSync } from 'node:zlib';
import { json, type WholeAnswer } from './answer.ts';
import type { Exchange } from './exchange.ts';

/** What these answers depend on. */
type Asked = Pick<Exchange, 'steering' | 'errors' | 'credential' | 'body' | 'deployment'>;

const DEFAULT_RETRY_AFTER_MS = 1_000;

/** Port 9 (discard, RFC 863): nobody listens there, so a followed redirect shows. */
const NOWHERE = 'http://127.0.0.1:9/elsewhere';

const BOMB_BYTES = 32 * 1024 * 1024;
let bomb: Buffer | undefined;

/** The answer that a fault puts in place of the real one; undefined where the fault leaves the answer to the endpoint. */
export function faultyAnswer(exchange: Asked): WholeAnswer | undefined {
  const { steering, errors, credential } = exchange;
  const fault = steering.fault;
  if (fault === undefined) return undefined;
  const retryAfterMs = fault.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS;
  switch (fault.name) {
    case 'error-429':
      return errors.rateLimited(modelOf(exchange), retryAfterMs);
    case 'error-429-quota':
      return errors.quotaExceeded();
    case 'error-500':
      return errors.serverError();
    case 'error-503':
      return errors.unavailable(retryAfterMs);
    case 'error-529':
      return errors.overloaded();
    case 'echo-key':
      return errors.echoedKey(credential ?? '');
    case 'redirect-302':
      return { ...json(302, ''), headers: ['location', fault.location ?? NOWHERE] };
    case 'empty-body':
      return json(200, '');
    case 'wrong-content-type': {
      const body = '<!doctype html><title>Welcome</title><h1>It works!</h1>';
      return { kind: 'whole', status: 200, contentType: 'text/html; charset=utf-8', body };
    }
    case 'gzip-bomb': {
      bomb ??= gzipSync(`{"id":"${' '.repeat(BOMB_BYTES)}"}`);
      return { ...json(200, ''), body: bomb, headers: ['content-encoding', 'gzip'] };
    }
    default:
      return undefined;
  }
}

function modelOf({ body, deployment }: Asked): string {
  const named = /"model"\s*:\s*"([^"\\]{1,200})"/.exec(body.toString('utf8', 0, 4_096));
  return named?.[1] ?? deployment ?? 'gpt-4o-mini';
}
