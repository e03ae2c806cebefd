import type { IncomingHttpHeaders } from 'node:http';
import type { Principals } from '@nexus/config';
import { GatewayError, type Principal } from '@nexus/domain';

/** The headers that carry a key, in the order in which they are believed. */
export const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'] as const;

/** Whether a lower-case header name is one of them. */
export function isCredentialHeader(name: string): boolean {
  return name === 'authorization' || name === 'x-api-key' || name === 'api-key' || name === 'x-goog-api-key';
}

const SCHEME = 'bearer';

/** A key is one word of visible characters: anything else is no key, and can't be a second name for one. */
const NOT_A_KEY = /[^\x21-\x7e]/;
const LONGEST_KEY = 4_096;

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
  const key = header === 'authorization' ? bearerToken(value) : value.trim();
  return key === undefined || key === '' || key.length > LONGEST_KEY || NOT_A_KEY.test(key) ? undefined : key;
}

/** What stands behind `Bearer`, in any case, with any blanks (RFC 9110 §11.1: schemes are case-insensitive). */
function bearerToken(value: string): string | undefined {
  const trimmed = value.trim();
  if (trimmed.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return undefined;
  const rest = trimmed.slice(SCHEME.length);
  const token = rest.trimStart();
  return token.length < rest.length ? token : undefined;
}
