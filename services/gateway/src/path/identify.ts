import type { IncomingHttpHeaders } from 'node:http';
import type { Principals } from '@nexus/config';
import { GatewayError, type Principal } from '@nexus/domain';

/** The headers that carry a key, in the order in which they are believed. */
export const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'] as const;

const BEARER = /^bearer[ \t]+/i;

/** A key is one word: anything else is no key, and can't be a second name for one. */
const KEY = /^[\x21-\x7e]{1,4096}$/;

/** Who a request acts for, and the header that said so: the only credential header that may go on upstream. */
export interface Identity {
  readonly principal: Principal;
  readonly header: (typeof CREDENTIAL_HEADERS)[number];
}

/**
 * Finds the principal by its key. Where several headers carry one, the first known key wins, in the order above.
 * @throws GatewayError `missing_api_key` or `invalid_api_key`; neither repeats the key
 */
export function identify(headers: IncomingHttpHeaders, principals: Principals): Identity {
  let carried = false;
  for (const header of CREDENTIAL_HEADERS) {
    const credential = credentialIn(header, headers[header]);
    if (credential === undefined) continue;
    carried = true;
    const principal = principals.find(credential);
    if (principal) return { principal, header };
  }
  throw new GatewayError(carried ? 'invalid_api_key' : 'missing_api_key');
}

function credentialIn(header: string, value: string | string[] | undefined): string | undefined {
  if (typeof value !== 'string') return undefined;
  const trimmed = value.trim();
  if (header !== 'authorization') return KEY.test(trimmed) ? trimmed : undefined;
  if (!BEARER.test(trimmed)) return undefined;
  const key = trimmed.replace(BEARER, '');
  return KEY.test(key) ? key : undefined;
}
